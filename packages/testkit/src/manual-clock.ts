import type { Clock } from "@meridian/runtime";

interface Timer {
  readonly atMs: number;
  readonly callback: () => void;
}

/** A clock that moves only when told. */
export class ManualClock implements Clock {
  #elapsedMs = 0;
  #wallMs = Date.UTC(2026, 0, 1);
  readonly #timers = new Set<Timer>();

  nowMs(): number {
    return this.#wallMs;
  }

  elapsedMs(): number {
    return this.#elapsedMs;
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer = { atMs: this.#elapsedMs + delayMs, callback };
    this.#timers.add(timer);
    return () => {
      this.#timers.delete(timer);
    };
  }

  /** How many callbacks wait. */
  get timers(): number {
    return this.#timers.size;
  }

  /** Lets time pass, running each callback at its moment, the earliest first. */
  advance(ms: number): void {
    const endMs = this.#elapsedMs + ms;
    for (;;) {
      const [next] = [...this.#timers].toSorted((a, b) => a.atMs - b.atMs);
      if (next === undefined || next.atMs > endMs) break;
      this.#timers.delete(next);
      this.#pass(next.atMs - this.#elapsedMs);
      next.callback();
    }
    this.#pass(endMs - this.#elapsedMs);
  }

  /** Lets time pass without running callbacks, as on a blocked event loop. Callbacks that have become due run at the end. */
  standStill(ms: number): void {
    this.#pass(ms);
    this.advance(0);
  }

  /** Sets the wall clock forwards or back; no time passes. */
  jump(ms: number): void {
    this.#wallMs += ms;
  }

  #pass(ms: number): void {
    if (ms <= 0) return;
    this.#elapsedMs += ms;
    this.#wallMs += ms;
  }
}
