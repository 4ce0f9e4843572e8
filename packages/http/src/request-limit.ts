import type { IncomingMessage, ServerResponse } from "node:http";

import { MeridianError } from "@meridian/protocol";
import type { Metrics } from "@meridian/runtime";

const REQUESTS_MAX = 10_000;

/** A request under way. */
interface Tracked {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
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
    if (this.active >= this.#max) this.#makeRoom();
    const older = this.#newest;
    const tracked: Tracked = { incoming, outgoing, isUnderWay: true, older, newer: undefined };
    if (older === undefined) this.#oldest = tracked;
    else older.newer = tracked;
    this.#newest = tracked;
    this.#active += 1;
    outgoing.once("close", () => this.#end(tracked));
  }

  /** Cuts the connections of the requests for which `isVoid` is true. */
  cut(isVoid: (incoming: IncomingMessage) => boolean): void {
    for (let each = this.#oldest, next; each !== undefined; each = next) {
      next = each.newer;
      if (!isVoid(each.incoming)) continue;
      each.incoming.socket.destroy();
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
      each.incoming.socket.destroy();
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

function waitsForClient({ incoming, outgoing }: Tracked): boolean {
  return !incoming.complete || outgoing.writableEnded;
}
