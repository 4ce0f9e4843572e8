import { isLive, type Entry } from "./entry.ts";
import { formatStamp } from "./stamp.ts";

/** An entry as parties list it to whoever compares them: everything but its value. */
export interface ListedEntry {
  readonly key: string;
  /** As `formatStamp` writes it. */
  readonly stamp: string;
  /** Whether it would be served now, or why it is kept although it would not. */
  readonly state: "live" | "deleted" | "expired";
  /** In milliseconds since the Unix epoch; null for never. */
  readonly expiresAtMs: number | null;
  /** The value's length. */
  readonly bytes: number;
}

/** What there is to say of an entry at `nowMs`. */
export function listEntry(
  facts: Pick<Entry, "key" | "stamp" | "expiresAtMs" | "deleted"> & { readonly bytes: number },
  nowMs: number,
): ListedEntry {
  const { key, stamp, expiresAtMs, deleted, bytes } = facts;
  // Stores empty what has expired, and mark it as deleted then; its expiry stays.
  const expired = expiresAtMs !== 0 && !isLive({ deleted: false, expiresAtMs }, nowMs);
  return {
    key,
    stamp: formatStamp(stamp),
    state: expired ? "expired" : deleted ? "deleted" : "live",
    expiresAtMs: expiresAtMs === 0 ? null : expiresAtMs,
    bytes,
  };
}
