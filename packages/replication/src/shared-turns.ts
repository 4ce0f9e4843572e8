import { Fifo, type Clock } from "@meridian/runtime";

/** For how long callbacks run in one turn, in milliseconds. The last one may take longer. */
const TURN_MS = 4;

/** Callbacks that come so soon after the last one, in milliseconds, are taken to belong to the same turn. */
const GAP_MS = 1;

/**
 * Shares the turns of one thread among all walks over rows: of a thousand nodes that catch up at once, each reads little in a turn, and
 * all together would read for seconds. Those that find no room in a turn run in the next ones, in the order in which they came.
 */
export class SharedTurns {
  readonly #defer: (callback: () => void) => void;
  readonly #clock: Pick<Clock, "elapsedMs">;
  readonly #waiting = new Fifo<() => void>();
  #isServing = false;
  #usedMs = 0;
  #endedAtMs = -Infinity;

  /** `defer` runs a callback in the next turn of the event loop. */
  constructor(defer: (callback: () => void) => void, clock: Pick<Clock, "elapsedMs">) {
    this.#defer = defer;
    this.#clock = clock;
  }

  /** Runs `callback` in a later turn: the next one that has room for it. */
  later(callback: () => void): void {
    this.#defer(() => this.#come(callback));
  }

  #come(callback: () => void): void {
    const nowMs = this.#clock.elapsedMs();
    if (nowMs - this.#endedAtMs >= GAP_MS) this.#usedMs = 0;
    if (this.#waiting.length === 0 && this.#usedMs < TURN_MS) return this.#run(callback, nowMs);
    this.#waiting.push(callback);
    this.#serveLater();
  }

  #serveLater(): void {
    if (this.#isServing) return;
    this.#isServing = true;
    this.#defer(() => this.#serve());
  }

  #serve(): void {
    this.#isServing = false;
    this.#usedMs = 0;
    try {
      while (this.#usedMs < TURN_MS) {
        const callback = this.#waiting.shift();
        if (callback === undefined) return;
        this.#run(callback, this.#clock.elapsedMs());
      }
    } finally {
      if (this.#waiting.length > 0) this.#serveLater();
    }
  }

  #run(callback: () => void, startedMs: number): void {
    try {
      callback();
    } finally {
      this.#endedAtMs = this.#clock.elapsedMs();
      this.#usedMs += this.#endedAtMs - startedMs;
    }
  }
}
