/**
 * What memory holds of a key. An entry with a small value is packed into one string, which takes a quarter of the memory of an `Entry`. Each of its
 * characters is one byte, so that V8 stores it as such, and a garbage collection need not look into it:
 *
 *     byte 0         6      13             15           16
 *          expiresAt | time | content type | n, a uint8 | the stamp as text, n bytes | the value
 *          uint48    | uint56 | uint16
 *
 * Numbers are in network order. An entry that does not fit is held as it is: one with a larger value or attributes, or whose expiry is thousands of years away.
 */
import { getHeapStatistics } from "node:v8";

import { formatStamp, parseStamp, unixMsOf, type Entry, type Stamp } from "@meridian/protocol";

/** An entry as memory holds it. Its key is not in a text. */
export type Held = Entry | string;

/** The largest value in a text, in bytes. Of larger ones, the rest of an `Entry` is a small part. */
const PACKED_BYTES_MAX = 4_096;

/** The most content types that are kept for texts. */
const TYPES_MAX = 1_024;

const TIME = 6;
const TYPE = 13;
const STAMP_LENGTH = 15;
const STAMP = 16;
const STAMP_LENGTH_MAX = 22;
const UINT48_END = 2 ** 48;

/**
 * The largest value that memory may pack if it holds up to `bytesMax` bytes: what is packed must leave half of V8's heap, whose bound is
 * `--max-old-space-size` of Node.js, to everything else. Values that are not packed lie elsewhere.
 */
export function packedBytesMaxOf(bytesMax: number): number {
  return bytesMax <= getHeapStatistics().heap_size_limit / 2 ? PACKED_BYTES_MAX : 0;
}

/** Makes texts of entries, and reads them. */
export class EntryPacker {
  readonly #valueBytesMax: number;
  readonly #numbers = new Map<string, number>();
  readonly #types: string[] = [];
  readonly #scratch: Buffer;

  /** Packs entries with values of at most `valueBytesMax` bytes; 0 for none at all. */
  constructor(valueBytesMax: number) {
    this.#valueBytesMax = valueBytesMax;
    this.#scratch = Buffer.alloc(STAMP + STAMP_LENGTH_MAX + valueBytesMax);
  }

  /** The form of a live entry in which memory holds it. */
  hold(entry: Entry): Held {
    return this.#pack(entry) ?? withOwnValue(entry);
  }

  /** The text of an entry that fits in one. */
  #pack(entry: Entry): string | undefined {
    const { value, expiresAtMs, stamp, attributes } = entry;
    if (this.#valueBytesMax === 0 || value.byteLength > this.#valueBytesMax) return undefined;
    if (attributes !== undefined || expiresAtMs >= UINT48_END) return undefined;
    const type = this.#numberOf(entry.contentType);
    if (type === undefined) return undefined;
    const scratch = this.#scratch;
    scratch.writeUIntBE(expiresAtMs, 0, 6);
    scratch.writeUInt8(Math.floor(stamp.time / UINT48_END), TIME);
    scratch.writeUIntBE(stamp.time % UINT48_END, TIME + 1, 6);
    scratch.writeUInt16BE(type, TYPE);
    const length = scratch.write(formatStamp(stamp), STAMP, "latin1");
    scratch.writeUInt8(length, STAMP_LENGTH);
    scratch.set(value, STAMP + length);
    return scratch.toString("latin1", 0, STAMP + length + value.byteLength);
  }

  /** What is held of a key, to be read. */
  recordOf(key: string, held: Held): CachedRecord {
    return typeof held === "string"
      ? new PackedRecord(key, held, this.#types)
      : new PlainRecord(held);
  }

  #numberOf(type: string): number | undefined {
    const known = this.#numbers.get(type);
    if (known !== undefined || this.#types.length === TYPES_MAX) return known;
    this.#numbers.set(type, this.#types.length);
    return this.#types.push(type) - 1;
  }
}

/** The entry, whose value does not keep in memory much more than its own bytes: values that came together may share an array. */
function withOwnValue(entry: Entry): Entry {
  const { value } = entry;
  if (value.buffer.byteLength <= 2 * value.byteLength) return entry;
  return { ...entry, value: Uint8Array.from(value) };
}

/** What memory has of a key. */
export interface CachedRecord {
  /** The entity tag, in quotes. */
  readonly etag: string;
  readonly contentType: string;
  readonly expiresAtMs: number;
  /** The millisecond of the stamp. */
  readonly stampMs: number;
  /** The length of the value. */
  readonly bytes: number;
  /** The value, each byte a character, if it is held so. */
  readonly text: string | undefined;
  /** The entry. A packed one is made anew by each call. */
  entry(): Entry;
}

/** What is said of an entry that is there as a whole. */
export class PlainRecord implements CachedRecord {
  readonly text = undefined;
  readonly #entry: Entry;

  constructor(entry: Entry) {
    this.#entry = entry;
  }

  get etag(): string {
    return etagOf(this.#entry);
  }

  get contentType(): string {
    return this.#entry.contentType;
  }

  get expiresAtMs(): number {
    return this.#entry.expiresAtMs;
  }

  get stampMs(): number {
    return unixMsOf(this.#entry.stamp.time);
  }

  get bytes(): number {
    return this.#entry.value.byteLength;
  }

  entry(): Entry {
    return this.#entry;
  }
}

class PackedRecord implements CachedRecord {
  readonly #key: string;
  readonly #held: string;
  readonly #types: readonly string[];

  constructor(key: string, held: string, types: readonly string[]) {
    this.#key = key;
    this.#held = held;
    this.#types = types;
  }

  get etag(): string {
    return `"${stampTextOf(this.#held)}"`;
  }

  get contentType(): string {
    return this.#types[uint(this.#held, TYPE, STAMP_LENGTH)] ?? "";
  }

  get expiresAtMs(): number {
    return expiryOf(this.#held);
  }

  get stampMs(): number {
    return unixMsOf(timeOf(this.#held));
  }

  get bytes(): number {
    return this.#held.length - valueAt(this.#held);
  }

  get text(): string {
    return this.#held.slice(valueAt(this.#held));
  }

  entry(): Entry {
    return {
      key: this.#key,
      value: Buffer.from(this.text, "latin1"),
      contentType: this.contentType,
      stamp: stampOf(this.#held),
      expiresAtMs: this.expiresAtMs,
      deleted: false,
    };
  }
}

/** When what is held expires, in milliseconds since the Unix epoch; 0 for never. */
export function expiryOf(held: Held): number {
  return typeof held === "string" ? uint(held, 0, TIME) : held.expiresAtMs;
}

/** The time of the stamp of what is held. */
export function timeOf(held: Held): number {
  return typeof held === "string" ? uint(held, TIME, TYPE) : held.stamp.time;
}

/** Below 0 if what is held is older than `stamp`, above 0 if newer, 0 if it is the same. */
export function compareHeld(held: Held, stamp: Stamp): number {
  return timeOf(held) - stamp.time || stampOf(held).origin - stamp.origin;
}

/** The entity tag of an entry: its stamp, in quotes. */
export function etagOf(entry: Pick<Entry, "stamp">): string {
  return `"${formatStamp(entry.stamp)}"`;
}

/** Whether `text` names a content type: printable ASCII, not empty. */
export function isContentType(text: string): boolean {
  return /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/.test(text);
}

function stampOf(held: Held): Stamp {
  return typeof held === "string" ? parseStamp(stampTextOf(held)) : held.stamp;
}

function stampTextOf(held: string): string {
  return held.slice(STAMP, valueAt(held));
}

function valueAt(held: string): number {
  return STAMP + held.charCodeAt(STAMP_LENGTH);
}

/** The number in the bytes from `at` to `end`. */
function uint(held: string, at: number, end: number): number {
  let value = 0;
  for (let index = at; index < end; index += 1) value = value * 256 + held.charCodeAt(index);
  return value;
}
