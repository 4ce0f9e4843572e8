/**
 * The highest stamp time that a directory admits: a little ahead of the cluster's time. Where higher ones were admitted before (its clock,
 * or all of them, have been set back), nodes can issue no lower ones; then the ceiling goes on from there, but no faster than time does.
 * Nothing that is admitted above the clock raises it. So nobody can push it along, a little at a time, by sending stamps just below it.
 *
 * What was admitted once is admitted after a restart as well, whatever the clocks say then. A frame that was forwarded and not committed is
 * offered again; if it were refused now, its writes would get lower stamps than other nodes hold them with. So a bound of what has been
 * admitted is made durable before anything above it is forwarded. While most clocks agree, it is kept so far ahead that no frame waits for it.
 */
import { STAMPS_PER_MS, stampTimeOf } from "@meridian/protocol";

import { isStampable, STAMPABLE_TIME_MAX } from "./clock-vote.ts";

/** How far ahead of cluster time, in milliseconds, another party may claim to have seen stamps admitted. */
const CLAIM_MS_MAX = 24 * 3_600_000;

/** Room for stamps that clocks have given out one by one above the highest admitted. */
const ROOM = 100 * STAMPS_PER_MS;

/** What a log has of the stamps that were admitted. */
export interface LoggedTimes {
  /** The highest stamp time of its recent frames. */
  readonly highestTime: number;
  /** No stamp above it was ever forwarded. */
  readonly admittedTime: number;
}

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
  /** What is admitted because a directory that had this log may have forwarded it. */
  readonly #forwarded: number;
  /** The highest stamp time that was admitted, and when by elapsed time. */
  #known: { readonly time: number; readonly atMs: number };

  constructor({ highestTime, admittedTime }: LoggedTimes, time: CeilingTime) {
    this.#time = time;
    this.#forwarded = admittedTime;
    this.#known = { time: highestTime, atMs: time.elapsedMs() };
  }

  /** No stamp above it is admitted now. */
  get timeMax(): number {
    return Math.min(STAMPABLE_TIME_MAX, Math.max(this.#unpushed, this.#byKnown + ROOM));
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
    const within = Math.min(time, this.#unpushed);
    if (within > this.#byKnown) this.#know(within);
  }

  /** The bound to make durable before a frame of stamps up to `time` is forwarded. */
  boundFor(time: number): number {
    const { maxDriftMs } = this.#time;
    const ahead = Math.min(this.#byClock(maxDriftMs), time + maxDriftMs * STAMPS_PER_MS);
    return Math.max(time, Math.min(STAMPABLE_TIME_MAX, Math.max(ahead, time + ROOM)));
  }

  /**
   * The bound to make durable while nothing waits for it, if what is durable is `admittedTime`; undefined if that is enough for now. It is no
   * higher than what is admitted by that time anyway.
   */
  boundAhead(admittedTime: number, confirmedMs: number): number | undefined {
    const { maxDriftMs } = this.#time;
    if (!isStampable(confirmedMs)) return undefined;
    if (admittedTime >= stampTimeOf(confirmedMs + maxDriftMs / 2)) return undefined;
    return Math.min(STAMPABLE_TIME_MAX, stampTimeOf(confirmedMs + maxDriftMs));
  }

  /** What is admitted whatever was sent before. */
  get #unpushed(): number {
    return Math.max(this.#byClock(this.#time.maxDriftMs), this.#forwarded);
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
