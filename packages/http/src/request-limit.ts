import type { IncomingMessage, ServerResponse } from "node:http";

import { MeridianError } from "@meridian/protocol";
import type { Metrics } from "@meridian/runtime";

const REQUESTS_MAX = 10_000;

/** A request under way. */
interface Tracked {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
}

/**
 * Counts and bounds the requests under way, so that a server that stops can let them finish. Where there are too many, the
 * oldest makes room that waits for its own client: for the rest of a body, or for an answer to be taken.
 */
export class RequestLimit {
  readonly #max: number;
  /** In the order of their coming. */
  readonly #tracked = new Set<Tracked>();
  readonly #onIdle: (() => void)[] = [];

  constructor(metrics: Metrics, max: number = REQUESTS_MAX) {
    this.#max = max;
    metrics.level(() => [{ name: "httpRequests", now: this.active, max }]);
  }

  /** Requests that have not been answered yet. */
  get active(): number {
    return this.#tracked.size;
  }

  /** Counts a request until its answer has left or its connection is gone. Throws `OVERLOADED`, and counts nothing. */
  track(incoming: IncomingMessage, outgoing: ServerResponse): void {
    if (this.active >= this.#max) this.#makeRoom();
    const tracked = { incoming, outgoing };
    this.#tracked.add(tracked);
    outgoing.once("close", () => this.#end(tracked));
  }

  /** Calls back once no request is under way. */
  onIdle(callback: () => void): void {
    if (this.active === 0) callback();
    else this.#onIdle.push(callback);
  }

  #makeRoom(): void {
    for (const tracked of this.#tracked) {
      if (!waitsForClient(tracked)) continue;
      tracked.incoming.socket.destroy();
      return this.#end(tracked);
    }
    const [now, max] = [this.active + 1, this.#max];
    const said = `Expected at most ${max} requests under way, got ${now}`;
    throw new MeridianError("OVERLOADED", said, { details: { now, max } });
  }

  #end(tracked: Tracked): void {
    if (!this.#tracked.delete(tracked) || this.active > 0) return;
    for (const callback of this.#onIdle.splice(0)) callback();
  }
}

function waitsForClient({ incoming, outgoing }: Tracked): boolean {
  return !incoming.complete || outgoing.writableEnded;
}
