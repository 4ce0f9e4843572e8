/**
 * Frames: the binary form of entries on the wire and in journals.
 *
 * A frame is a header of 64 bytes, then an extension, which is nearly always empty, and then the entries. All numbers are
 * little-endian. The header has everything that the directory needs to order and forward a frame. So the directory decodes no
 * entry: it writes the sequence numbers into the header of the bytes that it received.
 *
 *   header  0 u8  kind: 1 entries, 2 donation, 3 early entry 0 f64 stamp time
 *           1 u8  flags: 1 report when applied,              8 f64 stamp origin
 *                 2 the log may lack what came before
 *           2 u16 bytes of the extension                    16 f64 expiresAtMs, 0 for never
 *           4 u32 count of entries                          24 u32 bytes of the value
 *           8 f64 after: the sequence before the first      28 u16 bytes of the key
 *          16 f64 through: the sequence of the last         30 u8  bytes of the content type
 *          24 f64 committedThrough                          31 u8  flags: 1 deleted, 2 has attributes
 *          32 f64 highestTime: the newest stamp             32     key (UTF-8), content type, value;
 *                                                                  u16 bytes of the attributes and these
 *          40 f64 sentAtMs: the sender's clock
 *          48 f64 incarnation whose outbox it is from, 0 for none
 *          56 f64 position in that outbox; in a donation, the offer it answers
 *
 * PROTOCOL.md gives the meaning of each field.
 */
import { BURIAL_ORIGIN, NO_BYTES, type Entry } from "./entry.ts";
import type { MeridianError } from "./errors.ts";
import {
  ENTRY_HEADER_BYTES,
  FRAME_HEADER_BYTES,
  isWhole,
  malformed,
  viewOf,
  writeFrameHeader,
  type FrameHeader,
} from "./frame-header.ts";
import {
  ATTRIBUTES_BYTES_MAX,
  CONTENT_TYPE_BYTES_MAX,
  EXPIRES_AT_MS_MAX,
  EXTENSION_BYTES_MAX,
  KEY_BYTES_MAX,
  VALUE_BYTES_MAX,
} from "./limits.ts";
import { isStamp } from "./stamp.ts";
import { decodeUtf8 } from "./text.ts";
import { utf8Length } from "./validate.ts";
import { ValueCopies } from "./value-copies.ts";

/** The bytes of the length before an entry's attributes. */
const ATTRIBUTES_HEADER_BYTES = 2;

/** The flags of an entry. */
const DELETED = 1;
const HAS_ATTRIBUTES = 2;

/** What `checkBlock` finds out about a block without decoding it. */
export interface BlockFacts {
  /** The lowest stamp time among its entries; infinite for none. */
  readonly lowestTime: number;
  /** Whether the key of any of them is reserved. */
  readonly hasReserved: boolean;
  /** Whether any of them has attributes. */
  readonly hasAttributes: boolean;
}

/** An entry without its key and value. */
export type EntryHead = Pick<Entry, "stamp" | "expiresAtMs" | "deleted" | "attributes">;

const encoder = new TextEncoder();

/** Copies a header, an extension and a block of entries into one frame. Throws `MALFORMED_MESSAGE` if the extension is longer than `EXTENSION_BYTES_MAX`. */
export function assembleFrame(
  header: FrameHeader,
  block: Uint8Array,
  extension: Uint8Array = NO_BYTES,
): Uint8Array {
  if (extension.byteLength > EXTENSION_BYTES_MAX) {
    throw malformed(`an extension of at most ${EXTENSION_BYTES_MAX} bytes`, "more");
  }
  const frame = new Uint8Array(FRAME_HEADER_BYTES + extension.byteLength + block.byteLength);
  frame.set(extension, FRAME_HEADER_BYTES);
  frame.set(block, FRAME_HEADER_BYTES + extension.byteLength);
  viewOf(frame).setUint16(2, extension.byteLength, true);
  writeFrameHeader(frame, header);
  return frame;
}

/** The entries of a frame, without its header and extension, as a view on the same bytes. */
export function blockOf(frame: Uint8Array): Uint8Array {
  return frame.subarray(FRAME_HEADER_BYTES + extensionBytes(frame));
}

/** The extension of a frame, as a view on the same bytes. A party that does not know its contents forwards it unchanged. */
export function extensionOf(frame: Uint8Array): Uint8Array {
  return frame.subarray(FRAME_HEADER_BYTES, FRAME_HEADER_BYTES + extensionBytes(frame));
}

function extensionBytes(frame: Uint8Array): number {
  return (frame[2] ?? 0) + (frame[3] ?? 0) * 256;
}

/** The bytes that `entry` takes in a frame. */
export function entryBytes(entry: Entry): number {
  return (
    ENTRY_HEADER_BYTES +
    utf8Length(entry.key) +
    utf8Length(entry.contentType) +
    entry.value.byteLength +
    (entry.attributes === undefined ? 0 : ATTRIBUTES_HEADER_BYTES + entry.attributes.byteLength)
  );
}

/**
 * Encodes entries one after the other, without a header: what a journal keeps and a frame carries.
 * Throws `MALFORMED_MESSAGE` for an entry that `decodeBlock` would refuse: one such in a block is the end of them all.
 */
export function encodeBlock(entries: readonly Entry[]): Uint8Array {
  const block = new Uint8Array(entriesBytes(entries));
  writeEntries(block, viewOf(block), 0, entries);
  return block;
}

/** The length of the block of `entries`, in bytes. */
export function entriesBytes(entries: readonly Entry[]): number {
  let bytes = 0;
  for (const entry of entries) bytes += entryBytes(entry);
  return bytes;
}

/** Writes the block of `entries` at a place of `bytes`, which has room for it, and returns its end. Throws what `encodeBlock` does. */
export function writeEntries(
  bytes: Uint8Array,
  view: DataView,
  offset: number,
  entries: readonly Entry[],
): number {
  let end = offset;
  for (const entry of entries) end = writeEntry(bytes, view, end, entry);
  return end;
}

/** The highest stamp time among `entries`; 0 for none. */
export function highestTimeOf(entries: readonly Entry[]): number {
  let highest = 0;
  for (const { stamp } of entries) if (stamp.time > highest) highest = stamp.time;
  return highest;
}

/** The lowest stamp time among `entries`; infinite for none. */
export function lowestTimeOf(entries: readonly Entry[]): number {
  let lowest = Infinity;
  for (const { stamp } of entries) if (stamp.time < lowest) lowest = stamp.time;
  return lowest;
}

/**
 * Decodes `count` entries. Their values are copies, so that they do not keep `bytes` in memory; small values that lie together share a copy of at most
 * 16 KiB. Throws `MALFORMED_MESSAGE`.
 */
export function decodeBlock(bytes: Uint8Array, count: number): Entry[] {
  // `slice` of a Node.js Buffer copies nothing, and each value would keep the whole message in memory.
  const block = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const view = viewOf(block);
  const values = new ValueCopies(block);
  const typeOf = typeReader(block);
  const entries: Entry[] = [];
  let offset = 0;
  for (let index = 0; index < count; index += 1) {
    if (offset + ENTRY_HEADER_BYTES > block.byteLength) throw cutShort(count, index);
    const valueBytes = view.getUint32(offset + 24, true);
    const keyBytes = view.getUint16(offset + 28, true);
    const typeBytes = view.getUint8(offset + 30);
    const keyAt = offset + ENTRY_HEADER_BYTES;
    const typeAt = keyAt + keyBytes;
    const valueAt = typeAt + typeBytes;
    const valueEnd = valueAt + valueBytes;
    const flags = view.getUint8(offset + 31);
    const end = endOfEntry(view, valueEnd, flags);
    if (end > block.byteLength) throw cutShort(count, index);
    const entry: Entry = {
      key: checkedText(block, keyAt, typeAt),
      value: values.take(valueAt, valueEnd),
      contentType: typeOf(typeAt, valueAt),
      stamp: { time: view.getFloat64(offset, true), origin: view.getFloat64(offset + 8, true) },
      expiresAtMs: view.getFloat64(offset + 16, true),
      deleted: (flags & DELETED) !== 0,
    };
    checkEntry(entry, keyBytes, valueBytes, flags);
    if (end === valueEnd) entries.push(entry);
    else
      entries.push({ ...entry, attributes: block.slice(valueEnd + ATTRIBUTES_HEADER_BYTES, end) });
    offset = end;
  }
  if (offset !== block.byteLength) {
    throw malformed(`${count} entries in ${offset} bytes`, `${block.byteLength} bytes`);
  }
  return entries;
}

/** The entries of `key`, in UTF-8, in a block that was checked, without their values. It passes over all others without decoding them. */
export function findInBlock(block: Uint8Array, count: number, key: Uint8Array): EntryHead[] {
  const view = viewOf(block);
  const found: EntryHead[] = [];
  let offset = 0;
  for (let index = 0; index < count; index += 1) {
    const keyAt = offset + ENTRY_HEADER_BYTES;
    const keyBytes = view.getUint16(offset + 28, true);
    const valueEnd =
      keyAt + keyBytes + view.getUint8(offset + 30) + view.getUint32(offset + 24, true);
    const flags = view.getUint8(offset + 31);
    const end = endOfEntry(view, valueEnd, flags);
    if (keyBytes === key.byteLength && hasBytesAt(block, keyAt, key)) {
      const head = {
        stamp: { time: view.getFloat64(offset, true), origin: view.getFloat64(offset + 8, true) },
        expiresAtMs: view.getFloat64(offset + 16, true),
        deleted: (flags & DELETED) !== 0,
      };
      const attributes = block.slice(valueEnd + ATTRIBUTES_HEADER_BYTES, end);
      found.push(end === valueEnd ? head : { ...head, attributes });
    }
    offset = end;
  }
  return found;
}

function hasBytesAt(block: Uint8Array, offset: number, bytes: Uint8Array): boolean {
  // Keys of one length often begin alike, and end differently.
  for (let index = bytes.byteLength - 1; index >= 0; index -= 1) {
    if (block[offset + index] !== bytes[index]) return false;
  }
  return true;
}

/**
 * Checks that a block is `count` well-formed entries whose newest stamp is `highestTime`, without decoding them.
 * Throws `MALFORMED_MESSAGE`. The directory calls it before it forwards a frame, so that every node can decode what is in the log.
 */
export function checkBlock(block: Uint8Array, count: number, highestTime: number): BlockFacts {
  const view = viewOf(block);
  let offset = 0;
  let highest = 0;
  let lowestTime = Infinity;
  let [hasReserved, hasAttributes] = [false, false];
  for (let index = 0; index < count; index += 1) {
    if (offset + ENTRY_HEADER_BYTES > block.byteLength) throw cutShort(count, index);
    const keyAt = offset + ENTRY_HEADER_BYTES;
    const typeAt = keyAt + view.getUint16(offset + 28, true);
    const valueAt = typeAt + view.getUint8(offset + 30);
    const valueBytes = view.getUint32(offset + 24, true);
    const flags = view.getUint8(offset + 31);
    const end = endOfEntry(view, valueAt + valueBytes, flags);
    if (end > block.byteLength) throw cutShort(count, index);
    const entry = {
      key: "",
      stamp: { time: view.getFloat64(offset, true), origin: view.getFloat64(offset + 8, true) },
      expiresAtMs: view.getFloat64(offset + 16, true),
      deleted: (flags & DELETED) !== 0,
    };
    checkEntry(entry, typeAt - keyAt, valueBytes, flags);
    checkUtf8(block, keyAt, typeAt);
    checkUtf8(block, typeAt, valueAt);
    highest = Math.max(highest, entry.stamp.time);
    lowestTime = Math.min(lowestTime, entry.stamp.time);
    if (block[keyAt] === 0) hasReserved = true;
    if (end !== valueAt + valueBytes) hasAttributes = true;
    offset = end;
  }
  if (offset !== block.byteLength) {
    throw malformed(`${count} entries in ${offset} bytes`, `${block.byteLength} bytes`);
  }
  if (highest !== highestTime) throw malformed(`a newest stamp of ${highest}`, `${highestTime}`);
  return { lowestTime, hasReserved, hasAttributes };
}

/** The offset at which an entry ends whose value ends at `valueEnd`; infinite if the block ends before the attributes' length. */
function endOfEntry(view: DataView, valueEnd: number, flags: number): number {
  if ((flags & HAS_ATTRIBUTES) === 0) return valueEnd;
  if (valueEnd + ATTRIBUTES_HEADER_BYTES > view.byteLength) return Infinity;
  const bytes = view.getUint16(valueEnd, true);
  // An entry without attributes must have one encoding only.
  if (bytes === 0) throw malformed("attributes of at least one byte", "none");
  return valueEnd + ATTRIBUTES_HEADER_BYTES + bytes;
}

function checkUtf8(block: Uint8Array, start: number, end: number): void {
  for (let offset = start; offset < end; offset += 1) {
    if ((block[offset] ?? 0) > 0x7f) return void checkedText(block, start, end);
  }
}

function writeEntry(block: Uint8Array, view: DataView, offset: number, entry: Entry): number {
  const keyAt = offset + ENTRY_HEADER_BYTES;
  const typeAt = writeText(block, keyAt, entry.key);
  const valueAt = writeText(block, typeAt, entry.contentType);
  block.set(entry.value, valueAt);
  view.setFloat64(offset, entry.stamp.time, true);
  view.setFloat64(offset + 8, entry.stamp.origin, true);
  view.setFloat64(offset + 16, entry.expiresAtMs, true);
  view.setUint32(offset + 24, entry.value.byteLength, true);
  view.setUint16(offset + 28, typeAt - keyAt, true);
  view.setUint8(offset + 30, valueAt - typeAt);
  const flags =
    (entry.deleted ? DELETED : 0) | (entry.attributes === undefined ? 0 : HAS_ATTRIBUTES);
  view.setUint8(offset + 31, flags);
  checkEntry(entry, typeAt - keyAt, entry.value.byteLength, flags);
  if (valueAt - typeAt > CONTENT_TYPE_BYTES_MAX) {
    throw refusal(entry.key, `a content type of at most ${CONTENT_TYPE_BYTES_MAX} bytes`);
  }
  const valueEnd = valueAt + entry.value.byteLength;
  return entry.attributes === undefined
    ? valueEnd
    : writeAttributes(block, view, valueEnd, entry.key, entry.attributes);
}

function writeAttributes(
  block: Uint8Array,
  view: DataView,
  offset: number,
  key: string,
  attributes: Uint8Array,
): number {
  const bytes = attributes.byteLength;
  if (bytes === 0 || bytes > ATTRIBUTES_BYTES_MAX) {
    throw refusal(key, `attributes of 1 to ${ATTRIBUTES_BYTES_MAX} bytes`);
  }
  view.setUint16(offset, bytes, true);
  block.set(attributes, offset + ATTRIBUTES_HEADER_BYTES);
  return offset + ATTRIBUTES_HEADER_BYTES + bytes;
}

function checkEntry(
  entry: Pick<Entry, "key" | "stamp" | "expiresAtMs" | "deleted">,
  keyBytes: number,
  valueBytes: number,
  flags: number,
): void {
  const { key } = entry;
  if (keyBytes === 0 || keyBytes > KEY_BYTES_MAX) throw refusal(key, "a key of 1 byte to 1 KiB");
  if (valueBytes > VALUE_BYTES_MAX) throw refusal(key, "a value of at most 64 MiB");
  if (!isStamp(entry.stamp)) throw refusal(key, "a stamp in its range");
  if (!isWhole(entry.expiresAtMs) || entry.expiresAtMs > EXPIRES_AT_MS_MAX) {
    throw refusal(key, "a whole instant of expiry, or 0");
  }
  if (flags > (DELETED | HAS_ATTRIBUTES)) throw malformed("known flags", `flags ${flags}`);
  if (entry.deleted && valueBytes > 0) throw refusal(key, "a tombstone without a value");
  if (entry.stamp.origin === BURIAL_ORIGIN && !entry.deleted) {
    throw refusal(key, "an origin that a node can have drawn");
  }
}

function refusal(key: string, expected: string): MeridianError {
  return malformed(expected, `another in the entry of key \`${key.slice(0, 80)}\``);
}

/** Writes ASCII byte by byte, which is faster for short keys than calling the encoder. Returns the offset after the text. */
function writeText(block: Uint8Array, offset: number, text: string): number {
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    if (unit > 0x7f) {
      // The encoder would write U+FFFD for a lone surrogate, and two keys would become one.
      if (/\p{Surrogate}/u.test(text)) throw malformed("well-formed Unicode", "a lone surrogate");
      const { written } = encoder.encodeInto(text, block.subarray(offset));
      return offset + written;
    }
    block[offset + index] = unit;
  }
  return offset + text.length;
}

/** Returns a function that decodes the content types of a block. Consecutive ones that are equal, as nearly all are, are decoded once. */
function typeReader(block: Uint8Array): (start: number, end: number) => string {
  let [from, length, text] = [0, 0, ""];
  return (start, end) => {
    let same = end - start === length ? 0 : -1;
    while (same >= 0 && same < length) {
      same = block[from + same] === block[start + same] ? same + 1 : -1;
    }
    if (same < 0) [length, text] = [end - start, checkedText(block, start, end)];
    from = start;
    return text;
  };
}

function checkedText(block: Uint8Array, start: number, end: number): string {
  try {
    return decodeUtf8(block.subarray(start, end));
  } catch {
    throw malformed("text in UTF-8", "other bytes");
  }
}

function cutShort(count: number, index: number): MeridianError {
  return malformed(`${count} entries`, `a frame that ends within entry ${index + 1}`);
}
