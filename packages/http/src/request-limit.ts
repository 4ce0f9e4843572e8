import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";

import { MeridianError } from "@meridian/protocol";
import type { Metrics } from "@meridian/runtime";

const REQUESTS_MAX = 10_000;

/** A request whose connection can be cut. */
interface Cuttable {
  readonly socket: Pick<Socket, "destroy">;
}

/** A request under way. */
interface Tracked {
  readonly request: Cuttable;
  /** What it is read from, and its answer written to; undefined if it has come whole, and is counted no longer once it is answered. */
  readonly streams:
    | { readonly incoming: IncomingMessage; readonly outgoing: ServerResponse }
    | undefined;
  isUnderWay: boolean;
  older: Tracked | undefined;
  newer: Tracked | undefined;
}

/**
 * Counts and bounds the requests under way, so that a server that stops can let them finish. Where there are too many, the
 * oldest makes room that waits for its own client: for the rest of a body, or for an answer to be taken.
 */
export class RequestLimit {
  readonly #max: number;
  readonly #onCut: () => void;
  /**
   * In the order of arrival. It is a linked list: a `Set` from which much is removed leaves old tables behind, and each keeps its requests alive
   * until the next full garbage collection.
   */
  #oldest: Tracked | undefined;
  #newest: Tracked | undefined;
  #active = 0;
  readonly #onIdle: (() => void)[] = [];

  /** `onCut` is called before a connection is cut for its request. */
  constructor(metrics: Metrics, onCut: () => void, max: number = REQUESTS_MAX) {
    this.#max = max;
    this.#onCut = onCut;
    metrics.level(() => [{ name: "httpRequests", now: this.active, max }]);
  }

  /** Requests that have not been answered yet. */
  get active(): number {
    return this.#active;
  }

  /** Counts a request until its answer has left or its connection is gone. Throws `OVERLOADED`, and counts nothing. */
  track(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const tracked = this.#begin(incoming, { incoming, outgoing });
    outgoing.once("close", () => this.#end(tracked));
  }

  /** Counts a request that has come whole, until what is returned is called. Throws `OVERLOADED`, and counts nothing. */
  begin(request: Cuttable): () => void {
    const tracked = this.#begin(request, undefined);
    return () => this.#end(tracked);
  }

  #begin(request: Cuttable, streams: Tracked["streams"]): Tracked {
    if (this.active >= this.#max) this.#makeRoom();
    const older = this.#newest;
    const tracked: Tracked = { request, streams, isUnderWay: true, older, newer: undefined };
    if (older === undefined) this.#oldest = tracked;
    else older.newer = tracked;
    this.#newest = tracked;
    this.#active += 1;
    return tracked;
  }

  /** Cuts the connections of the requests for which `isVoid` is true. */
  cut(isVoid: (request: object) => boolean): void {
    for (let each = this.#oldest, next; each !== undefined; each = next) {
      next = each.newer;
      if (!isVoid(each.request)) continue;
      each.request.socket.destroy();
      this.#end(each);
    }
  }

  /** Calls back once no request is under way. */
  onIdle(callback: () => void): void {
    if (this.active === 0) callback();
    else this.#onIdle.push(callback);
  }

  #makeRoom(): void {
    for (let each = this.#oldest; each !== undefined; each = each.newer) {
      if (!waitsForClient(each)) continue;
      this.#onCut();
      each.request.socket.destroy();
      return this.#end(each);
    }
    const [now, max] = [this.active + 1, this.#max];
    const said = `Expected at most ${max} requests under way, got ${now}`;
    throw new MeridianError("OVERLOADED", said, { details: { now, max } });
  }

  #end(tracked: Tracked): void {
    if (!tracked.isUnderWay) return;
    tracked.isUnderWay = false;
    const { older, newer } = tracked;
    if (older === undefined) this.#oldest = newer;
    else older.newer = newer;
    if (newer === undefined) this.#newest = older;
    else newer.older = older;
    tracked.older = tracked.newer = undefined;
    this.#active -= 1;
    if (this.#active > 0) return;
    for (const callback of this.#onIdle.splice(0)) callback();
  }
}

function waitsForClient({ streams }: Tracked): boolean {
  return streams !== undefined && (!streams.incoming.complete || streams.outgoing.writableEnded);
}
