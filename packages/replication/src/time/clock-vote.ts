import { stampTimeOf, STAMP_EPOCH_MS, STAMP_TIME_MAX, unixMsOf } from "@meridian/protocol";

/** Kept free at the end of the stamps' range, so that a clock just before it still leaves room to write. */
const MARGIN_MS = 24 * 3_600_000;
const STAMP_END_MS = unixMsOf(STAMP_TIME_MAX) - MARGIN_MS;

/** The highest stamp time that anyone may admit or issue. */
export const STAMPABLE_TIME_MAX: number = stampTimeOf(STAMP_END_MS);

/** Whether a stamp can hold that moment: it lies between the stamps' epoch, 2024, and 2093. */
export function isStampable(unixMs: number): boolean {
  return unixMs >= STAMP_EPOCH_MS && unixMs < STAMP_END_MS;
}

/** A member's clock, as it was last heard. */
export interface ClockReading {
  readonly id: string;
  /** By how many milliseconds its wall time is ahead of the judge's elapsed time. */
  readonly offsetMs: number;
}

/** What the clocks of the members say together. */
export interface ClockVote {
  /** By how many milliseconds the time of the largest group is ahead of elapsed time; undefined if no clock shows a possible time. */
  readonly offsetMs: number | undefined;
  /** How many of them agree on it. */
  readonly agreeing: number;
  /** How many members there are, heard or not. */
  readonly members: number;
  /** The clocks that were heard and do not agree. */
  readonly others: readonly ClockReading[];
}

/** Whether enough clocks agree for a step that cannot be undone: more than half of the members, and at least two. */
export function isMajority({
  agreeing,
  members,
}: Pick<ClockVote, "agreeing" | "members">): boolean {
  return agreeing >= 2 && agreeing * 2 > members;
}

/**
 * Finds the largest group of clocks of which no two differ by more than `withinMs`; of several as large, the one with the clock `own`
 * in it. The time of the group is that of the clock in its middle. If more than half of all members are right, every
 * majority contains a right clock, so the time of the group is off by `withinMs` at most. Example: clocks at 0, 3, 5 and 900 ms with
 * `withinMs` 10 give the group 0, 3, 5 and its time 3.
 */
export function vote(
  readings: readonly ClockReading[],
  members: number,
  withinMs: number,
  { own, elapsedMs }: { readonly own: string; readonly elapsedMs: number },
): ClockVote {
  const possible = readings
    .filter(({ offsetMs }) => isStampable(offsetMs + elapsedMs))
    .toSorted((a, b) => a.offsetMs - b.offsetMs);
  const ownMs = readings.find(({ id }) => id === own)?.offsetMs ?? NaN;
  let best = { from: 0, to: 0, hasOwn: false };
  let from = 0;
  for (const [index, { offsetMs }] of possible.entries()) {
    while ((possible[from]?.offsetMs ?? offsetMs) < offsetMs - withinMs) from += 1;
    const size = index + 1 - from;
    const hasOwn = ownMs >= (possible[from]?.offsetMs ?? NaN) && ownMs <= offsetMs;
    const larger = size - (best.to - best.from);
    if (larger > 0 || (larger === 0 && hasOwn && !best.hasOwn)) {
      best = { from, to: index + 1, hasOwn };
    }
  }
  const group = possible.slice(best.from, best.to);
  const middle = group[Math.floor((group.length - 1) / 2)];
  const others = readings.filter((reading) => !group.includes(reading));
  return { offsetMs: middle?.offsetMs, agreeing: group.length, members, others };
}
