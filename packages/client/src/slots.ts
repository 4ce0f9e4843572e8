import type { Deadlines } from "@meridian/runtime";

import { followAbort } from "./follow-abort.ts";

/** How many requests may be under way at one node. */
export const SLOTS = 64;

/** How long to wait for a slot. */
export interface SlotPatience {
  readonly leftMs: number;
  readonly signal: AbortSignal;
}

/**
 * Bounds the running requests to one node, and queues the others: thousands of sockets at once are slower than
 * a few, and the node's answers to them would take so long that it looks silent.
 */
export class Slots {
  #free: number = SLOTS;
  /** The waiting calls, in the order in which they came. */
  readonly #queue = new Set<(granted: boolean) => void>();

  /** How many requests are under way. */
  get taken(): number {
    return SLOTS - this.#free;
  }

  /** Takes a slot if one is free and nobody waits for it. */
  take(): boolean {
    if (this.#free === 0) return false;
    this.#free -= 1;
    return true;
  }

  /** Resolves to true with a slot, or to false if the node is not worth waiting for, or the patience is over. */
  wait(deadlines: Deadlines, { leftMs, signal }: SlotPatience): Promise<boolean> {
    return new Promise((resolve) => {
      const settle = (granted: boolean): void => {
        this.#queue.delete(settle);
        cancel();
        unfollow();
        resolve(granted);
      };
      let unfollow = (): void => {};
      const cancel = deadlines.after(Math.max(0, leftMs), () => settle(false));
      this.#queue.add(settle);
      unfollow = followAbort(signal, () => settle(false));
    });
  }

  /**
   * Gives a slot back; the call that has waited longest gets it, one turn of the event loop later: until then Node.js's `fetch` counts the connection of
   * the ended answer as busy, and would open another one.
   */
  give(): void {
    inNextTurn(() => {
      const [first] = this.#queue;
      if (first === undefined) this.#free += 1;
      else first(true);
    });
  }

  /** Ends all waits without a slot, because the node has failed. */
  dismiss(): void {
    for (const settle of this.#queue) settle(false);
  }
}

/** Browsers have no `setImmediate`; they bound the connections to one server themselves. */
const inNextTurn: (callback: () => void) => void =
  (globalThis as { setImmediate?: (callback: () => void) => void }).setImmediate ??
  ((callback) => callback());
