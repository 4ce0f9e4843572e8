/**
 * The time that a party judges by. Its own wall clock is one reading among those of all members; the time that most of them agree on is
 * taken over once and then carried on by elapsed time, so that neither a set clock here nor one at the directory moves it.
 *
 * Two times come out of this. What is served, stamped and given a time to live goes by the best there is, `nowMs`. What cannot be undone
 * (emptying values, forgetting deletes) goes by `confirmedMs`, which is there only while a majority agrees, and has for a while.
 */
import type { Clock } from "@meridian/runtime";

import { ALL_RULES, type Rules } from "../rules.ts";
import { isMajority, isStampable } from "./clock-vote.ts";

/** How far a vote was in agreement. */
export interface Agreement {
  readonly agreeing: number;
  readonly members: number;
}

/** The time that a majority has confirmed counts for this long after the majority was last heard, in milliseconds. */
const FRESH_MS = 60_000;

/** An answer that took longer than this tells no time, in milliseconds. */
const ROUND_TRIP_MS_MAX = 3_000;

/** Tells cluster time: the best there is by `nowMs`, and what a majority confirms by `confirmedMs`. */
export class ClusterClock {
  readonly #clock: Clock;
  readonly #rules: Rules;
  /** By how much cluster time is ahead of elapsed time, as taken over from the members; undefined before. */
  #basis: { readonly offsetMs: number; readonly isConfirmed: boolean } | undefined;
  /** What the members said last, whether this party has taken it over or not. */
  #said: { readonly offsetMs: number; readonly agreement: Agreement } | undefined;
  /** Since when a majority has agreed on one time, and when it was last heard to; by elapsed time. */
  #confirmed: { readonly sinceMs: number; readonly heardAtMs: number } | undefined;
  /** Whether this party ignores its own clock, because a stamp of it was refused. */
  #isObedient = false;
  /** The own clock is used while it differs from the members' time by at most this many milliseconds. */
  maxDriftMs: number = Infinity;

  constructor(clock: Clock, rules: Rules = ALL_RULES) {
    this.#clock = clock;
    this.#rules = rules;
  }

  /** Cluster time in milliseconds since the Unix epoch. It comes from the own clock while that agrees with the members. */
  nowMs(): number {
    const ownMs = this.#clock.nowMs();
    const carriedMs = this.#carriedMs;
    if (carriedMs === undefined) return ownMs;
    const isOff = this.#isObedient || Math.abs(ownMs - carriedMs) > this.maxDriftMs;
    return isOff ? carriedMs : ownMs;
  }

  /** Cluster time, if a majority agrees on it now and has for `forMs` milliseconds; else undefined. */
  confirmedMs(forMs = 0): number | undefined {
    if (!this.#rules.majorityIsAwaited) return this.ownMs();
    const confirmed = this.#confirmed;
    if (confirmed === undefined) return undefined;
    const elapsedMs = this.#clock.elapsedMs();
    const isStale = elapsedMs - confirmed.heardAtMs > FRESH_MS;
    return isStale || elapsedMs - confirmed.sinceMs < forMs ? undefined : this.#carriedMs;
  }

  /** This machine's own time. */
  ownMs(): number {
    return this.#clock.nowMs();
  }

  /** How far this machine's clock is ahead of the cluster's time, in milliseconds; 0 while nothing is known of that. */
  get aheadMs(): number {
    return Math.round(this.#clock.nowMs() - (this.#carriedMs ?? this.#clock.nowMs()));
  }

  /** Whether others have told the time, so that this machine's clock is compared with it or replaced by it. */
  get isTold(): boolean {
    return this.#basis !== undefined;
  }

  /** Whether cluster time comes from the members instead of this machine's clock. */
  get corrected(): boolean {
    const carriedMs = this.#carriedMs;
    if (carriedMs === undefined) return false;
    return this.#isObedient || Math.abs(this.#clock.nowMs() - carriedMs) > this.maxDriftMs;
  }

  /** How many members were said last to agree. */
  get agreement(): Agreement {
    return this.#said?.agreement ?? { agreeing: 0, members: 0 };
  }

  /** The members agree, as far as `agreement` says, on a time that is ahead of elapsed time by `offsetMs`. */
  learn(offsetMs: number | undefined, agreement: Agreement): void {
    const isConfirmed = offsetMs !== undefined && isMajority(agreement);
    if (!isConfirmed) this.#confirmed = undefined;
    if (offsetMs === undefined) return;
    this.#said = { offsetMs, agreement };
    const { agreeing, members } = agreement;
    // Two clocks that differ do not show which is wrong. But in a cluster of two members, both have to use the same time.
    const isUseful = isConfirmed || agreeing >= 2 || members <= 2;
    if (isConfirmed) this.#confirm(offsetMs);
    if (isConfirmed || (isUseful && this.#basis?.isConfirmed !== true)) {
      this.#basis = { offsetMs, isConfirmed };
    }
  }

  /**
   * A directory whose clock shows `directoryMs` has answered what was sent at `askedAtMs` of this machine's time. Its clock is
   * ahead of what the members agree on by `aheadMs`.
   */
  hear(
    directoryMs: number,
    askedAtMs: number,
    word: Agreement & { readonly aheadMs: number },
  ): void {
    const wayMs = Math.min(Math.max(0, this.#clock.nowMs() - askedAtMs), ROUND_TRIP_MS_MAX) / 2;
    const offsetMs = directoryMs - word.aheadMs + wayMs - this.#clock.elapsedMs();
    const isPossible = word.agreeing > 0 && isStampable(directoryMs - word.aheadMs);
    this.learn(isPossible ? offsetMs : undefined, word);
  }

  /** Takes over what the members said last, whether a majority agrees or not: a directory has refused a stamp of this party by it. */
  obey(): void {
    this.#isObedient = true;
    if (this.#said === undefined) return;
    this.#basis = { offsetMs: this.#said.offsetMs, isConfirmed: isMajority(this.#said.agreement) };
  }

  get #carriedMs(): number | undefined {
    const basis = this.#basis;
    return basis === undefined ? undefined : basis.offsetMs + this.#clock.elapsedMs();
  }

  #confirm(offsetMs: number): void {
    const elapsedMs = this.#clock.elapsedMs();
    const before = this.#confirmed;
    const isSame =
      before !== undefined &&
      elapsedMs - before.heardAtMs <= FRESH_MS &&
      Math.abs(offsetMs - (this.#basis?.offsetMs ?? offsetMs)) <= this.maxDriftMs;
    this.#confirmed = { sinceMs: isSame ? before.sinceMs : elapsedMs, heardAtMs: elapsedMs };
  }
}
