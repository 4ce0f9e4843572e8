import { followAbort } from "../follow-abort.ts";
import { orAborted } from "../or-aborted.ts";
import type { ReceivedValue } from "../values.ts";

/** One load of a key, and the calls that wait for it. When no call waits any more, the load is aborted, unless it was detached. */
export class Fill {
  readonly #controller = new AbortController();
  readonly #result: Promise<ReceivedValue | undefined>;
  #waiting = 0;
  #detached = false;
  #settled = false;

  /** `closed` ends it. */
  constructor(
    load: (signal: AbortSignal) => Promise<ReceivedValue | undefined>,
    closed: AbortSignal,
  ) {
    const { signal } = this.#controller;
    const unfollow = followAbort(closed, () => this.#controller.abort(closed.reason));
    this.#result = orAborted(load(signal), signal).finally(() => {
      this.#settled = true;
      unfollow();
    });
    // Calls that wait get the error; the failure of a detached load must not be an unhandled rejection.
    this.#result.catch(() => {});
  }

  /** Whether it has ended, or was given up. */
  get isOver(): boolean {
    return this.#settled || this.#controller.signal.aborted;
  }

  /** Lets the load continue in the background when no call waits. */
  detach(): void {
    this.#detached = true;
  }

  /** Waits for what is stored in the end; undefined if there is nothing. Throws why it failed, or the signal's reason. */
  async wait(signal: AbortSignal | undefined): Promise<ReceivedValue | undefined> {
    this.#waiting += 1;
    try {
      return await orAborted(this.#result, signal);
    } finally {
      this.#waiting -= 1;
      if (this.#waiting === 0 && !this.#detached && !this.isOver) {
        this.#controller.abort(signal?.reason);
      }
    }
  }

  /** Resolves to whether it is over within so many milliseconds, by `after`. */
  async isOverWithin(
    ms: number,
    after: (delayMs: number, callback: () => void) => () => void,
  ): Promise<boolean> {
    let cancel = (): void => {};
    const late = new Promise<false>((resolve) => {
      cancel = after(ms, () => resolve(false));
    });
    const over = this.#result.then(
      () => true as const,
      () => true as const,
    );
    try {
      return await Promise.race([over, late]);
    } finally {
      cancel();
    }
  }
}
