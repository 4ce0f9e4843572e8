import { BURIAL_ORIGIN, MeridianError, stampTimeOf, type Stamp } from "@meridian/protocol";
import { randomIdentity, type Random } from "@meridian/runtime";

import { ALL_RULES, type Rules } from "../rules.ts";
import { isStampable, STAMPABLE_TIME_MAX } from "./clock-vote.ts";

/**
 * Issues stamps: never the same twice, never going back, above every stamp seen, close to wall time.
 * Source: Kulkarni et al., "Logical Physical Clocks" (2014).
 */
export class HybridClock {
  /** The origin of its stamps, which tells them from others' stamps of the same time. */
  readonly origin: number;
  readonly #rules: Rules;
  /** Invariant: at or above every time issued or observed since `lower` was last called. */
  #last: number;

  /**
   * Draws an origin that nobody else has. `floor` is the highest stamp time that is known to have been issued. The first
   * stamp lies up to `spread` above it: two copies of a database, both behind their stamps, are not to give out the same times.
   */
  constructor(random: Random, floor: number, spread = 0, rules: Rules = ALL_RULES) {
    this.#rules = rules;
    // The greatest origin is reserved for burials.
    this.origin = Math.min(randomIdentity(random), BURIAL_ORIGIN - 1);
    this.#last = floor + Math.floor(random.next() * spread);
  }

  /** Throws `CLOCK_OUT_OF_RANGE` if no stamp can hold the wall time `nowMs`, or so many stamps above those that were seen. */
  check(nowMs: number, count: number): void {
    if (!isStampable(nowMs)) {
      const said = `Expected a clock between 2024 and 2093, got one at ${nowMs} ms since 1970`;
      throw new MeridianError("CLOCK_OUT_OF_RANGE", said);
    }
    if (this.#last + count > STAMPABLE_TIME_MAX) {
      const said = `Expected stamps up to ${STAMPABLE_TIME_MAX}, got one at ${this.#last}`;
      throw new MeridianError("CLOCK_OUT_OF_RANGE", said);
    }
  }

  /** A new stamp, at or after the wall time `nowMs` if a stamp can hold that. */
  next(nowMs: number): Stamp {
    this.#last = Math.max(this.#last + 1, isStampable(nowMs) ? stampTimeOf(nowMs) : 0);
    return { time: this.#last, origin: this.#rules.stampsNameOrigins ? this.origin : 1 };
  }

  /** A time below which no stamp will be issued any more, unless `lower` takes it back. */
  promise(nowMs: number): number {
    if (isStampable(nowMs)) this.#last = Math.max(this.#last, stampTimeOf(nowMs));
    return this.#last + 1;
  }

  /** Takes note of a time that another party has issued. */
  observe(time: number): void {
    if (time > this.#last && this.#rules.clocksMergeStamps) this.#last = time;
  }

  /** Goes back to `floor`: directories have refused all stamps above it, and their entries will be stamped anew. */
  lower(floor: number): void {
    this.#last = this.#rules.newStampsLieAboveAdmitted ? floor : 0;
  }
}
