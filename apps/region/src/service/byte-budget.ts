import { MeridianError } from "@meridian/protocol";
import type { Metrics } from "@meridian/runtime";

/** Bounds the bytes that one part of a node holds in memory, and counts them. */
export class ByteBudget {
  readonly #what: string;
  readonly #max: number;
  #now = 0;

  /** `name` is that of its level among the metrics, `what` completes "Expected at most n bytes of …". */
  constructor(metrics: Metrics, name: string, what: string, max: number) {
    metrics.level(() => [{ name, now: this.#now, max }]);
    this.#what = what;
    this.#max = max;
  }

  /** Takes `bytes`, which the caller gives back later. Throws `OVERLOADED`, and takes nothing, if fewer are left. */
  take(bytes: number): void {
    if (this.#now + bytes > this.#max) {
      throw new MeridianError(
        "OVERLOADED",
        `Expected at most ${this.#max} bytes of ${this.#what}, got ${this.#now + bytes}`,
        { details: { bytes: this.#now + bytes, bytesMax: this.#max } },
      );
    }
    this.#now += bytes;
  }

  /** Gives bytes back. */
  give(bytes: number): void {
    this.#now -= bytes;
  }
}
