import { MeridianError } from "@meridian/protocol";
import type { Metrics } from "@meridian/runtime";

/** How many may be under way at once. */
export interface TurnstileOptions {
  /** The name of the gauge, and what it counts, as in "Expected at most 8 …". */
  readonly name: string;
  readonly what: string;
  readonly max: number;
  readonly perClientMax: number;
  readonly metrics: Metrics;
}

/** Bounds how much is under way, for each client and for all clients together. */
export class Turnstile {
  readonly #options: TurnstileOptions;
  readonly #clients = new Map<string, number>();
  #now = 0;

  constructor(options: TurnstileOptions) {
    this.#options = options;
    const { name, max, metrics } = options;
    metrics.level(() => [{ name, now: this.#now, max }]);
  }

  /** Throws `OVERLOADED` if there is no room for one more of a client. */
  check(client: string): void {
    const { max, perClientMax, what } = this.#options;
    const own = this.#inside(client) + 1;
    if (own > perClientMax) throw tooMany(`${what} of one client`, own, perClientMax);
    if (this.#now + 1 > max) throw tooMany(what, this.#now + 1, max);
  }

  /** Lets one more of a client in. Returns what lets it out, once. Throws `OVERLOADED`. */
  enter(client: string): () => void {
    this.check(client);
    this.#clients.set(client, this.#inside(client) + 1);
    this.#now += 1;
    let isIn = true;
    return () => {
      if (!isIn) return;
      isIn = false;
      this.#now -= 1;
      const left = this.#inside(client) - 1;
      if (left === 0) this.#clients.delete(client);
      else this.#clients.set(client, left);
    };
  }

  #inside(client: string): number {
    return this.#clients.get(client) ?? 0;
  }
}

function tooMany(what: string, now: number, max: number): MeridianError {
  const said = `Expected at most ${max} ${what}, got ${now}`;
  return new MeridianError("OVERLOADED", said, { details: { now, max } });
}
