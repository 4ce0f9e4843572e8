import { compareStamps, type Stamp } from "./stamp.ts";

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
}

/** A key and the stamp of the newest entry known for it. */
export interface Summary {
  readonly key: string;
  readonly stamp: Stamp;
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
