import { compareStamps, unixMsOf, type Stamp } from "./stamp.ts";

/** The newest thing known of a key: a value, or the news that it was deleted. */
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
   * What later versions say of the entry, for those that know how to read it: kept, compared and passed on as it is, whoever
   * has it. Left out, and never empty, where nothing is said.
   */
  readonly attributes?: Uint8Array;
}

/** A key, and the stamp and attributes of the newest entry known for it. */
export interface Summary {
  readonly key: string;
  readonly stamp: Stamp;
  readonly attributes?: Uint8Array;
  /** When an entry expires whose value has been emptied, in milliseconds since the Unix epoch; left out of all others. */
  readonly emptiedUntilMs?: number;
}

/** What of an entry is compared. */
export function summaryOf({ key, stamp, attributes }: Summary): Summary {
  return attributes === undefined ? { key, stamp } : { key, stamp, attributes };
}

/** The value of tombstones, and of every other entry without bytes. */
export const NO_BYTES: Uint8Array = new Uint8Array(0);

/** The rule of merging: whether `candidate` replaces `current`, which a node holds for the same key. */
export function replaces(candidate: Summary, current: Summary | undefined): boolean {
  return current === undefined || compareStamps(candidate.stamp, current.stamp) > 0;
}

/** Whether an entry may be served at `nowMs`: not deleted, and before the instant it expires. */
export function isLive(entry: Pick<Entry, "deleted" | "expiresAtMs">, nowMs: number): boolean {
  return !entry.deleted && (entry.expiresAtMs === 0 || nowMs < entry.expiresAtMs);
}

/** The entry that says `key` was deleted at `stamp`. */
export function tombstone(key: string, stamp: Stamp): Entry {
  return { key, value: NO_BYTES, contentType: "", stamp, expiresAtMs: 0, deleted: true };
}

/** The origin of burials: the greatest there is, which no node draws for itself. */
export const BURIAL_ORIGIN: number = 2 ** 48 - 1;

/**
 * The tombstone that buries an entry of `key` which was made at `time`, whoever made it: by the rule of merging it
 * replaces every entry of that time. It is as old as what it buries, so a horizon that has passed one has passed both.
 */
export function burial(key: string, time: number): Entry {
  return tombstone(key, { time, origin: BURIAL_ORIGIN });
}

/**
 * Whether an entry means the same as no entry at all under `horizon`, a stamp time; nothing does under 0. That is a
 * tombstone made at or before the horizon, and an entry that has also expired by then; the value of an expired one may
 * have been emptied, which makes it a tombstone that still knows when it expired.
 */
export function isPurgeable(
  entry: Pick<Entry, "stamp" | "deleted" | "expiresAtMs">,
  horizon: number,
): boolean {
  if (horizon === 0 || entry.stamp.time > horizon) return false;
  return entry.expiresAtMs === 0 ? entry.deleted : entry.expiresAtMs <= unixMsOf(horizon);
}
