import type { Random } from "./random.ts";

/** The bounds of a back-off. */
export interface BackoffOptions {
  readonly random: Random;
  /** The ceiling of the first delay. */
  readonly firstMs: number;
  /** The ceiling of every later delay. */
  readonly maxMs: number;
}

/**
 * Exponential back-off with jitter: each delay is drawn evenly from half to the whole of a ceiling that
 * doubles, so that many clients cut off by one event do not come back at one moment.
 */
export class Backoff {
  readonly #options: BackoffOptions;
  #attempts = 0;

  constructor(options: BackoffOptions) {
    this.#options = options;
  }

  /** The delay before the next attempt, in milliseconds. */
  nextMs(): number {
    const { random, firstMs, maxMs } = this.#options;
    const ceiling = Math.min(maxMs, firstMs * 2 ** Math.min(this.#attempts, 30));
    this.#attempts += 1;
    return ceiling * (0.5 + 0.5 * random.next());
  }

  /** Starts again from the first delay; call it when an attempt has succeeded. */
  reset(): void {
    this.#attempts = 0;
  }
}
