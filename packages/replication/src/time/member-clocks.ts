/**
 * The clocks of all members, as one directory has heard them: its own, those of the other directories, and those of the nodes. A reading
 * is carried on by elapsed time, so that a clock which is set shows at the next message and not in the one before.
 */
import type { Clock } from "@meridian/runtime";

import { vote, type ClockReading, type ClockVote } from "./clock-vote.ts";

/** How long a clock that was heard counts, in milliseconds of elapsed time. */
const FRESH_MS = 60_000;

/** What members' clocks are held against. */
export interface MemberClocksOptions {
  readonly clock: Clock;
  /** Names this directory among the members. */
  readonly own: string;
  /** Clocks that differ by no more agree. */
  readonly withinMs: number;
  /** The members of which a majority is to agree, this directory left out, whether they have been heard or not. */
  counted(): Iterable<string>;
  /** Whether what one of them has shown last still says something. */
  votes(id: string): boolean;
}

interface Heard {
  readonly offsetMs: number;
  readonly atMs: number;
}

/** Keeps the newest reading of each member's clock, and judges them by `vote`. */
export class MemberClocks {
  readonly #options: MemberClocksOptions;
  readonly #heard = new Map<string, Heard>();

  constructor(options: MemberClocksOptions) {
    this.#options = options;
  }

  /** A member has said that its clock shows `wallMs`. */
  hear(id: string, wallMs: number): void {
    const atMs = this.#options.clock.elapsedMs();
    this.#heard.set(id, { offsetMs: wallMs - atMs, atMs });
  }

  /** What they say together now. Readings of those that do not count, or have no vote, are dropped. */
  vote(): ClockVote {
    const { clock, own, withinMs } = this.#options;
    const elapsedMs = clock.elapsedMs();
    const counted = new Set(this.#options.counted());
    counted.delete(own);
    const readings: ClockReading[] = [{ id: own, offsetMs: clock.nowMs() - elapsedMs }];
    for (const [id, { offsetMs, atMs }] of this.#heard) {
      const isHeard = elapsedMs - atMs <= FRESH_MS && counted.has(id) && this.#options.votes(id);
      if (!isHeard) this.#heard.delete(id);
      else readings.push({ id, offsetMs });
    }
    return vote(readings, counted.size + 1, withinMs, { own, elapsedMs });
  }
}
