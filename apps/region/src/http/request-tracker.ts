import type { ServerResponse } from "node:http";

/** Counts the requests under way, so that a node that stops can let them finish. */
export class RequestTracker {
  #active = 0;
  readonly #onIdle: (() => void)[] = [];

  /** Requests that have not been answered yet. */
  get active(): number {
    return this.#active;
  }

  /** Counts a request until its answer has left or its connection is gone. */
  track(outgoing: ServerResponse): void {
    this.#active += 1;
    outgoing.once("close", () => {
      this.#active -= 1;
      if (this.#active === 0) for (const callback of this.#onIdle.splice(0)) callback();
    });
  }

  /** Calls back once no request is under way. */
  onIdle(callback: () => void): void {
    if (this.#active === 0) callback();
    else this.#onIdle.push(callback);
  }
}
