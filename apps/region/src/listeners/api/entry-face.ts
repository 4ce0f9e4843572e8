import type { Entry } from "@meridian/protocol";

import { isContentType, PlainRecord, type CachedRecord } from "../../service/cached-record.ts";

/** The content type of a value that came without one. */
export const CONTENT_TYPE_DEFAULT = "application/octet-stream";

/** The parts of HTTP answers that depend on the entry alone. */
export class EntryFace {
  /** The entity tag in its quotes. */
  readonly etag: string;
  /** The entry's content type if a header can carry it, else the default one. */
  readonly contentType: string;
  /** The value's length in bytes, in decimal. */
  readonly length: string;
  /** The millisecond of the stamp. */
  readonly stampMs: number;

  constructor({ contentType, etag, bytes, stampMs }: CachedRecord) {
    this.etag = etag;
    this.contentType = isContentType(contentType) ? contentType : CONTENT_TYPE_DEFAULT;
    this.length = String(bytes);
    this.stampMs = stampMs;
  }
}

/** What HTTP answers say of an entry. */
export function faceOf(entry: Entry): EntryFace {
  return new EntryFace(new PlainRecord(entry));
}
