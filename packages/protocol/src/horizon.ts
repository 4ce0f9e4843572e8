import { MeridianError } from "./errors.ts";
import { parseTtlMs } from "./ttl.ts";

/**
 * The shortest time that deletes may be remembered for, in milliseconds. A node whose link breaks is noticed and back within
 * it; with less, nodes that were hardly away would be taken for ones that were away too long, and their newest writes
 * quarantined. It is for drills: what runs for people remembers deletes for days.
 */
export const HORIZON_MS_MIN = 2_000;

/** Reads how long deletes are remembered, written like a time to live. Throws `INVALID_TTL`, also below the minimum. */
export function parseHorizonMs(text: string): number {
  const horizonMs = parseTtlMs(text);
  if (horizonMs >= HORIZON_MS_MIN) return horizonMs;
  throw new MeridianError(
    "INVALID_TTL",
    `Expected deletes to be remembered for at least ${HORIZON_MS_MIN / 1_000}s, longer than a node takes to connect again, got \`${text}\``,
  );
}
