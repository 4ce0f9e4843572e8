import { formatStamp, type Entry } from "@meridian/protocol";

/** What memory holds of a key. */
export interface CachedRecord {
  readonly entry: Entry;
  /** What a listener has made of the entry for its protocol, so that it makes it once. A listener takes only what is its own. */
  face: unknown;
}

/** The record of an entry. */
export function recordOf(entry: Entry): CachedRecord {
  return { entry, face: undefined };
}

/** The entity tag of an entry: its stamp, in quotes. */
export function etagOf(entry: Pick<Entry, "stamp">): string {
  return `"${formatStamp(entry.stamp)}"`;
}

/** Whether `text` names a content type: printable ASCII, not empty. */
export function isContentType(text: string): boolean {
  return /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/.test(text);
}
