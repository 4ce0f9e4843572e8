import { BURIAL_ORIGIN, MeridianError, stampTimeOf, type Stamp } from "@meridian/protocol";
import { randomIdentity, type Random } from "@meridian/runtime";

import { ALL_RULES, type Rules } from "../rules.ts";
import { isStampable, STAMPABLE_TIME_MAX } from "./clock-vote.ts";

/** How many of its origins a clock knows. */
const ORIGINS_MAX = 256;

/**
 * Issues stamps: never the same twice, never going back, above every stamp seen, close to wall time.
 * Source: Kulkarni et al., "Logical Physical Clocks" (2014).
 */
export class HybridClock {
  readonly #random: Random;
  readonly #rules: Rules;
  /** The origins of its stamps, which tell them from others' stamps of the same time; the one in use is the last. */
  readonly #origins: number[] = [];
  /** Invariant: at or above every time issued or observed since `lower` was last called. */
  #last: number;

  /**
   * Draws an origin that nobody else has. `floor` is the highest stamp time that is known to have been issued. The first
   * stamp lies up to `spread` above it: two copies of a database, both behind their stamps, are not to give out the same times.
   */
  constructor(random: Random, floor: number, spread = 0, rules: Rules = ALL_RULES) {
    this.#random = random;
    this.#rules = rules;
    this.#drawOrigin();
    this.#last = floor + Math.floor(random.next() * spread);
  }

  /** Whether the stamp is one of this clock's. Of a clock that was lowered very often, the oldest stamps count as others'. */
  hasIssued({ origin }: Stamp): boolean {
    return this.#origins.includes(origin);
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
    return { time: this.#last, origin: this.#rules.stampsNameOrigins ? this.#origin : 1 };
  }

  /**
   * A stamp above `stamp`, at the same time if there is room: what was written by a node that knew `stamp` lies above it. No clock issues it.
   */
  above({ time, origin }: Stamp): Stamp {
    // The greatest origin is reserved for burials.
    const room = BURIAL_ORIGIN - 1 - origin;
    if (room <= 0) return { time: time + 1, origin: this.#origin };
    return { time, origin: origin + 1 + Math.floor(this.#random.next() * room) };
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

  /**
   * Goes back to `floor`: directories have refused all stamps above it, and their entries will be stamped anew. The new stamps have
   * another origin: some have the time of one that is taken back.
   */
  lower(floor: number): void {
    this.#last = this.#rules.newStampsLieAboveAdmitted ? floor : 0;
    this.#drawOrigin();
  }

  get #origin(): number {
    return this.#origins.at(-1) ?? 0;
  }

  #drawOrigin(): void {
    this.#origins.push(Math.min(randomIdentity(this.#random), BURIAL_ORIGIN - 1));
    if (this.#origins.length > ORIGINS_MAX) this.#origins.shift();
  }
}
