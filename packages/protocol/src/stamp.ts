import { base36, identityText } from "./base36.ts";
import { MeridianError } from "./errors.ts";

/**
 * When and where an entry was made: a hybrid logical clock reading and the origin that read it.
 * Stamps are totally ordered, unique, and close to wall time.
 *
 * Source: Kulkarni et al., "Logical Physical Clocks" (2014). The reading is one double, so that comparing
 * two stamps is comparing two numbers.
 */
export interface Stamp {
  /** Milliseconds since `STAMP_EPOCH_MS` × 4096 + a counter. A whole number in [1, 2^53). */
  readonly time: number;
  /** A whole number in [1, 2^48), drawn anew each time a node opens its database or sets its stamps back. */
  readonly origin: number;
}

/** The instant from which stamp times count: 2024-01-01T00:00:00Z, in milliseconds since the Unix epoch. Stamp times last until 2093. */
export const STAMP_EPOCH_MS = 1_704_067_200_000;

/** How many stamps fit in one millisecond. */
export const STAMPS_PER_MS = 4096;

/** The largest reading. */
export const STAMP_TIME_MAX: number = Number.MAX_SAFE_INTEGER;

/** The first reading of the millisecond `unixMs`; 0 for anything before the stamps' epoch. */
export function stampTimeOf(unixMs: number): number {
  return Math.max(0, Math.floor(unixMs) - STAMP_EPOCH_MS) * STAMPS_PER_MS;
}

/** The millisecond of a reading, since the Unix epoch. */
export function unixMsOf(time: number): number {
  return Math.floor(time / STAMPS_PER_MS) + STAMP_EPOCH_MS;
}

/** Below 0 if `a` is older than `b`, above 0 if newer, 0 if they are the same stamp. */
export function compareStamps(a: Stamp, b: Stamp): number {
  return a.time - b.time || a.origin - b.origin;
}

/** The stamp as text, safe in a header and in a URL: `<time>-<origin>`, both in base 36. */
export function formatStamp(stamp: Stamp): string {
  return `${base36(stamp.time)}-${identityText(stamp.origin)}`;
}

/** Reads what `formatStamp` wrote. Throws `INVALID_ARGUMENT` for anything else. */
export function parseStamp(text: string): Stamp {
  const match = /^([0-9a-z]{1,11})-([0-9a-z]{1,10})$/.exec(text);
  const stamp = { time: parseInt(match?.[1] ?? "", 36), origin: parseInt(match?.[2] ?? "", 36) };
  if (isStamp(stamp) && formatStamp(stamp) === text) return stamp;
  throw new MeridianError(
    "INVALID_ARGUMENT",
    `Expected a stamp such as \`1a2b3c-4d5e\`, got \`${text}\``,
  );
}

/** Whether both numbers are in their ranges. */
export function isStamp(stamp: Stamp): boolean {
  return (
    Number.isSafeInteger(stamp.time) &&
    stamp.time >= 1 &&
    Number.isSafeInteger(stamp.origin) &&
    stamp.origin >= 1 &&
    stamp.origin < 2 ** 48
  );
}
