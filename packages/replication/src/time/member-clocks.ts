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
  /** The members that are remembered, this directory left out, whether they have been heard or not. */
  remembered(): Iterable<string>;
}

interface Heard {
  readonly offsetMs: number;
  readonly atMs: number;
}

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

  /** What they say together now. Readings of whom nobody remembers are dropped. */
  vote(): ClockVote {
    const { clock, own, withinMs } = this.#options;
    const elapsedMs = clock.elapsedMs();
    const remembered = new Set(this.#options.remembered());
    remembered.delete(own);
    const readings: ClockReading[] = [{ id: own, offsetMs: clock.nowMs() - elapsedMs }];
    for (const [id, { offsetMs, atMs }] of this.#heard) {
      if (!remembered.has(id) || elapsedMs - atMs > FRESH_MS) this.#heard.delete(id);
      else readings.push({ id, offsetMs });
    }
    return vote(readings, remembered.size + 1, withinMs, { own, elapsedMs });
  }
}
