import { formatStamp, unixMsOf, type Entry } from "@meridian/protocol";

/** The content type of a value that came without one. */
export const CONTENT_TYPE_DEFAULT = "application/octet-stream";

/** What memory holds of a key: the entry, and what an HTTP answer says of it, made once. */
export interface CachedRecord {
  readonly entry: Entry;
  /** The entity tag in its quotes. */
  readonly etag: string;
  /** The entry's content type if a header can carry it, else the default one. */
  readonly contentType: string;
  /** The value's length in bytes, in decimal. */
  readonly length: string;
  /** The millisecond of the stamp. */
  readonly stampMs: number;
}

/** The record of an entry. */
export function recordOf(entry: Entry): CachedRecord {
  return {
    entry,
    etag: etagOf(entry),
    contentType: isContentType(entry.contentType) ? entry.contentType : CONTENT_TYPE_DEFAULT,
    length: String(entry.value.byteLength),
    stampMs: unixMsOf(entry.stamp.time),
  };
}

/** The entity tag of an entry: its stamp, in quotes. */
export function etagOf(entry: Pick<Entry, "stamp">): string {
  return `"${formatStamp(entry.stamp)}"`;
}

/** Whether a header can carry `text` as a content type: printable ASCII, not empty. */
export function isContentType(text: string): boolean {
  return /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/.test(text);
}
