import type { Clock } from "@meridian/runtime";

/** Time that moves only when told to; timers ring in order while it moves. */
export class FakeClock implements Clock {
  #elapsedMs = 0;
  #timers: { readonly atMs: number; readonly callback: () => void }[] = [];

  nowMs(): number {
    return 1_800_000_000_000 + this.#elapsedMs;
  }

  elapsedMs(): number {
    return this.#elapsedMs;
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer = { atMs: this.#elapsedMs + delayMs, callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((one) => one !== timer);
    };
  }

  /** How many timers are set. */
  get timers(): number {
    return this.#timers.length;
  }

  /** As while a program computes: time moves on, and what was due meanwhile rings only when it is over. */
  stall(forMs: number): void {
    this.#elapsedMs += forMs;
    this.advance(0);
  }

  advance(byMs: number): void {
    const endMs = this.#elapsedMs + byMs;
    for (;;) {
      const [next] = this.#timers.toSorted((a, b) => a.atMs - b.atMs);
      if (next === undefined || next.atMs > endMs) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.#elapsedMs = Math.max(this.#elapsedMs, next.atMs);
      next.callback();
    }
    this.#elapsedMs = endMs;
  }
}
