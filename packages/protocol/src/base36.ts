/**
 * Numbers in base 36. Both functions say what `toString(36)` says, which finds the digits of a number that V8 holds as a double by slow arithmetic: it
 * took a twentieth of the time that a node takes for a small write.
 */

/** Every pair of digits, in order. */
const PAIRS: readonly string[] = Array.from({ length: 36 * 36 }, (_, pair) =>
  pair.toString(36).padStart(2, "0"),
);

const PAIR = 36 * 36;
const SIX_DIGITS = PAIR ** 3;

/** What stood before the last six digits, the last time. Of stamp times that is the same for nine minutes. */
let lastHigh = 0;
let lastHighText = "";

/** A whole number from 0 to 2^53 - 1. */
export function base36(whole: number): string {
  const high = Math.floor(whole / SIX_DIGITS);
  if (high === 0) return whole.toString(36);
  if (high !== lastHigh) {
    lastHigh = high;
    lastHighText = high.toString(36);
  }
  const low = whole - high * SIX_DIGITS;
  const rest = Math.floor(low / PAIR);
  const middle = Math.floor(rest / PAIR);
  const [a = "", b = "", c = ""] = [
    PAIRS[middle],
    PAIRS[rest - middle * PAIR],
    PAIRS[low - rest * PAIR],
  ];
  return lastHighText + a + b + c;
}

/** So many identities are kept at most. */
const KEPT_MAX = 256;

const kept = new Map<number, string>();

/** A number that comes again and again, because it is the identity of a log, an epoch or a node's database. */
export function identityText(identity: number): string {
  let text = kept.get(identity);
  if (text === undefined) {
    text = identity.toString(36);
    if (kept.size === KEPT_MAX) kept.clear();
    kept.set(identity, text);
  }
  return text;
}
