import { MeridianError } from "./errors.ts";

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** The longest time to live: 100 years, in milliseconds. An entry that shall never expire has no time to live. */
export const TTL_MS_MAX: number = 100 * 365.25 * 86_400_000;

/**
 * Reads a time to live: seconds (`90`, `0.5`), or a number with a unit (`250ms`, `90s`, `15m`, `2h`, `7d`).
 * Returns whole milliseconds, at least 1. Throws `INVALID_TTL` for zero, negative, not a number, or above 100 years.
 */
export function parseTtlMs(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/.exec(text);
  const ttlMs = match === null ? NaN : Number(match[1]) * (UNIT_MS[match[2] ?? "s"] ?? NaN);
  return checkTtlMs(ttlMs, text);
}

/** Throws `INVALID_TTL` unless `ttlMs` is above 0 and at most 100 years. Returns it in whole milliseconds, rounded up. */
export function checkTtlMs(ttlMs: number, said: string = String(ttlMs)): number {
  if (ttlMs > 0 && ttlMs <= TTL_MS_MAX) {
    // 2.007 s × 1000 is 2007.0000000000002 in doubles, and must become 2007, not 2008.
    return Math.ceil(Number(ttlMs.toPrecision(15)));
  }
  throw new MeridianError(
    "INVALID_TTL",
    `Expected a time to live above 0 and up to 100 years, such as \`90\` (seconds), \`90s\`, \`15m\`, \`2h\` or \`7d\`, got \`${said}\``,
  );
}
