import { setTimeout as sleep } from "node:timers/promises";

/** The longest delay of a timer of Node.js. */
const TIMER_MAX_MS = 2 ** 31 - 1;

/** The clock of a rate, and its pauses. */
export interface RateTime {
  /** Milliseconds since any moment; never goes back. */
  elapsedMs(): number;
  pause(ms: number): Promise<void>;
}

const SYSTEM_TIME: RateTime = {
  elapsedMs: () => performance.now(),
  pause: (ms) => sleep(ms),
};

/** Limits what is moved to `perSecond` pieces a second, on average since the start; Infinity for no limit. */
export class MovedRate {
  readonly #perSecond: number;
  readonly #time: RateTime;
  readonly #startedAtMs: number;
  #moved = 0;

  constructor(perSecond: number, time: RateTime = SYSTEM_TIME) {
    this.#perSecond = perSecond;
    this.#time = time;
    this.#startedAtMs = time.elapsedMs();
  }

  /** Milliseconds since the start. */
  get elapsedMs(): number {
    return this.#time.elapsedMs() - this.#startedAtMs;
  }

  /** Counts moved pieces. Resolves when the rate allows the next ones. */
  async add(pieces: number): Promise<void> {
    this.#moved += pieces;
    const dueMs = (this.#moved / this.#perSecond) * 1_000;
    const waitMs = dueMs - this.elapsedMs;
    if (waitMs > 0) await this.#time.pause(Math.min(waitMs, TIMER_MAX_MS));
  }
}
