import { unixMsOf, type Entry } from "@meridian/protocol";

import { etagOf, isContentType, type CachedRecord } from "../../service/cached-record.ts";

/** The content type of a value that came without one. */
export const CONTENT_TYPE_DEFAULT = "application/octet-stream";

/** The parts of HTTP answers that depend on the entry alone, computed once. */
export class EntryFace {
  /** The entity tag in its quotes. */
  readonly etag: string;
  /** The entry's content type if a header can carry it, else the default one. */
  readonly contentType: string;
  /** The value's length in bytes, in decimal. */
  readonly length: string;
  /** The millisecond of the stamp. */
  readonly stampMs: number;

  constructor(entry: Entry) {
    const { contentType, value, stamp } = entry;
    this.etag = etagOf(entry);
    this.contentType = isContentType(contentType) ? contentType : CONTENT_TYPE_DEFAULT;
    this.length = String(value.byteLength);
    this.stampMs = unixMsOf(stamp.time);
  }
}

/** The `EntryFace` of a record, which keeps it. */
export function faceOf(record: CachedRecord): EntryFace {
  if (record.face instanceof EntryFace) return record.face;
  const face = new EntryFace(record.entry);
  record.face = face;
  return face;
}
