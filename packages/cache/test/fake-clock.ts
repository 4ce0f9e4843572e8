import type { CacheClock } from "../src/index.ts";

/** Time that moves only when told to; timers ring in order while it moves. */
export class FakeClock implements CacheClock {
  /** What the clock shows; may be set to make it jump. */
  wallMs = 1_000;
  #elapsedMs = 0;
  #timers: { dueMs: number; callback: () => void }[] = [];

  nowMs(): number {
    return this.wallMs;
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer = { dueMs: this.#elapsedMs + delayMs, callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((one) => one !== timer);
    };
  }

  get timers(): number {
    return this.#timers.length;
  }

  /** Delay of the next timer; Infinity if there is none. */
  get nextInMs(): number {
    return Math.min(...this.#timers.map((timer) => timer.dueMs)) - this.#elapsedMs;
  }

  advance(byMs: number): void {
    const endMs = this.#elapsedMs + byMs;
    for (;;) {
      const next = this.#timers.reduce<{ dueMs: number; callback: () => void } | undefined>(
        (first, timer) => (first === undefined || timer.dueMs < first.dueMs ? timer : first),
        undefined,
      );
      if (next === undefined || next.dueMs > endMs) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.#move(Math.max(0, next.dueMs - this.#elapsedMs));
      next.callback();
    }
    this.#move(endMs - this.#elapsedMs);
  }

  #move(byMs: number): void {
    this.#elapsedMs += byMs;
    this.wallMs += byMs;
  }
}
