import { isLive, type Entry } from "./entry.ts";
import { formatStamp } from "./stamp.ts";

/** An entry as `GET /entries` lists it: everything but its value. */
export interface ListedEntry {
  readonly key: string;
  /** As `formatStamp` writes it. */
  readonly stamp: string;
  /** `live` if the entry would be served now; otherwise why it is not. */
  readonly state: "live" | "deleted" | "expired";
  /** In milliseconds since the Unix epoch; null for never. */
  readonly expiresAtMs: number | null;
  /** The value's length. */
  readonly bytes: number;
}

/** Lists an entry as it is at `nowMs`, in milliseconds since the Unix epoch. */
export function listEntry(
  facts: Pick<Entry, "key" | "stamp" | "expiresAtMs" | "deleted"> & { readonly bytes: number },
  nowMs: number,
): ListedEntry {
  const { key, stamp, expiresAtMs, deleted, bytes } = facts;
  // A store empties expired entries and sets `deleted` on them; `expiresAtMs` stays.
  const expired = expiresAtMs !== 0 && !isLive({ deleted: false, expiresAtMs }, nowMs);
  return {
    key,
    stamp: formatStamp(stamp),
    state: expired ? "expired" : deleted ? "deleted" : "live",
    expiresAtMs: expiresAtMs === 0 ? null : expiresAtMs,
    bytes,
  };
}
