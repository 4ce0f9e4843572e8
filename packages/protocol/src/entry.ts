import { compareStamps, unixMsOf, type Stamp } from "./stamp.ts";

/** The newest version of a key: a value, or the record that the key was deleted. */
export interface Entry {
  readonly key: string;
  /** Any bytes; empty in a tombstone. */
  readonly value: Uint8Array;
  /** The media type of the value; empty in a tombstone. */
  readonly contentType: string;
  readonly stamp: Stamp;
  /** When the entry stops being live, in milliseconds since the Unix epoch; 0 for never. */
  readonly expiresAtMs: number;
  /** A tombstone: the key was deleted at `stamp`. */
  readonly deleted: boolean;
  /**
   * Bytes that later versions of Meridian may attach to an entry. A party that cannot read them keeps, compares and forwards them
   * unchanged. Absent if there are none; never empty.
   */
  readonly attributes?: Uint8Array;
}

/** A key, and the stamp and attributes of the newest entry known for it. */
export interface Summary {
  readonly key: string;
  readonly stamp: Stamp;
  readonly attributes?: Uint8Array;
  /** When the entry expired, in milliseconds since the Unix epoch. Present only if the store has emptied the value since. */
  readonly emptiedUntilMs?: number;
}

/** The part of an entry that reconciliation and digests compare. */
export function summaryOf({ key, stamp, attributes }: Summary): Summary {
  return attributes === undefined ? { key, stamp } : { key, stamp, attributes };
}

/** The value of tombstones, and of every other entry without bytes. */
export const NO_BYTES: Uint8Array = new Uint8Array(0);

/** The merge rule: whether `candidate` replaces `current`, which the node holds for the same key. It does if its stamp is greater. */
export function replaces(candidate: Summary, current: Summary | undefined): boolean {
  return current === undefined || compareStamps(candidate.stamp, current.stamp) > 0;
}

/** Whether an entry may be served at `nowMs`: not deleted, and before the instant it expires. */
export function isLive(entry: Pick<Entry, "deleted" | "expiresAtMs">, nowMs: number): boolean {
  return !entry.deleted && (entry.expiresAtMs === 0 || nowMs < entry.expiresAtMs);
}

/** The entry that records that `key` was deleted at `stamp`. */
export function tombstone(key: string, stamp: Stamp): Entry {
  return { key, value: NO_BYTES, contentType: "", stamp, expiresAtMs: 0, deleted: true };
}

/** The origin of burials: the greatest possible one. No node draws it for itself. */
export const BURIAL_ORIGIN: number = 2 ** 48 - 1;

/**
 * The tombstone that buries an entry of `key` with stamp time `time`, whatever its origin: by the merge rule it replaces
 * every entry of that time. It has the stamp time of what it buries, so a horizon that has passed the one has passed the other.
 */
export function burial(key: string, time: number): Entry {
  return tombstone(key, { time, origin: BURIAL_ORIGIN });
}

/**
 * Whether an entry may be removed under `horizon`, a stamp time, because it means the same as no entry. Under horizon 0
 * none may. Otherwise the entry's stamp time must be at or below the horizon, and the entry must be a tombstone without expiry, or have
 * expired by the horizon's millisecond. A tombstone with an expiry is an expired entry whose value has been emptied.
 */
export function isPurgeable(
  entry: Pick<Entry, "stamp" | "deleted" | "expiresAtMs">,
  horizon: number,
): boolean {
  if (horizon === 0 || entry.stamp.time > horizon) return false;
  return entry.expiresAtMs === 0 ? entry.deleted : entry.expiresAtMs <= unixMsOf(horizon);
}
