import { MeridianError } from "./errors.ts";
import { parseTtlMs } from "./ttl.ts";

/**
 * The shortest `horizonMs`, in milliseconds. A node whose link breaks is back within that time. With less, such a node would
 * count as one that was away too long, and its newest writes would be quarantined. Only tests and drills use so
 * short a horizon; the default is 7 days.
 */
export const HORIZON_MS_MIN = 2_000;

/** Reads how long deletes are remembered, such as `7d`, in milliseconds. Throws `INVALID_TTL` for what `parseTtlMs` refuses, and below `HORIZON_MS_MIN`. */
export function parseHorizonMs(text: string): number {
  const horizonMs = parseTtlMs(text);
  if (horizonMs >= HORIZON_MS_MIN) return horizonMs;
  throw new MeridianError(
    "INVALID_TTL",
    `Expected deletes to be remembered for at least ${HORIZON_MS_MIN / 1_000}s, longer than a node takes to connect again, got \`${text}\``,
  );
}
