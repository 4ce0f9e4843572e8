/**
 * The highest stamp time that a directory admits: a little ahead of the cluster's time. Where higher ones were admitted before (its clock,
 * or all of them, have been set back), nodes can issue no lower ones; then the ceiling goes on from there, but no faster than time does.
 * Nothing that is admitted above the clock raises it. So nobody can push it along, a little at a time, by sending stamps just below it.
 */
import { STAMPS_PER_MS, stampTimeOf } from "@meridian/protocol";

import { isStampable, STAMPABLE_TIME_MAX } from "./clock-vote.ts";

/** How far ahead of cluster time, in milliseconds, another party may claim to have seen stamps admitted. */
const CLAIM_MS_MAX = 24 * 3_600_000;

/** Room for stamps that clocks have given out one by one above the highest admitted. */
const ROOM = 100 * STAMPS_PER_MS;

/** What the ceiling follows. */
export interface CeilingTime {
  /** The cluster's time, in milliseconds since the Unix epoch. */
  nowMs(): number;
  elapsedMs(): number;
  readonly maxDriftMs: number;
}

/** Says up to which stamp time a directory admits frames now. */
export class StampCeiling {
  readonly #time: CeilingTime;
  /** The highest stamp time that was admitted, and when by elapsed time. */
  #known: { readonly time: number; readonly atMs: number };

  constructor(highestTime: number, time: CeilingTime) {
    this.#time = time;
    this.#known = { time: highestTime, atMs: time.elapsedMs() };
  }

  /** No stamp above it is admitted now. */
  get timeMax(): number {
    const byClock = this.#byClock(this.#time.maxDriftMs);
    return Math.min(STAMPABLE_TIME_MAX, Math.max(byClock, this.#byKnown + ROOM));
  }

  /** The highest time that another party is believed to have seen admitted. */
  get claimMax(): number {
    return Math.min(STAMPABLE_TIME_MAX, Math.max(this.#byClock(CLAIM_MS_MAX), this.timeMax));
  }

  /** Stamps up to `time` have been admitted elsewhere. */
  observe(time: number): void {
    if (time > this.timeMax) this.#know(time);
  }

  /** Stamps up to `time` are admitted here. */
  admit(time: number): void {
    const within = Math.min(time, this.#byClock(this.#time.maxDriftMs));
    if (within > this.#byKnown) this.#know(within);
  }

  #know(time: number): void {
    this.#known = { time: Math.min(time, STAMPABLE_TIME_MAX), atMs: this.#time.elapsedMs() };
  }

  /** The stamp time of the cluster's time and `aheadMs` more; 0 where no stamp can hold that. */
  #byClock(aheadMs: number): number {
    const nowMs = this.#time.nowMs();
    return isStampable(nowMs) ? stampTimeOf(nowMs + aheadMs) : 0;
  }

  /** The highest admitted stamp time, and as many stamps more as elapsed time has had room for since. */
  get #byKnown(): number {
    const passedMs = Math.floor(this.#time.elapsedMs() - this.#known.atMs);
    return this.#known.time + passedMs * STAMPS_PER_MS;
  }
}
