/**
 * The records of a redo file, one after the other:
 *
 *     bytes u32 | checksum u32 | nonce f64 | serial f64 | body
 *
 * `bytes` is the size of the whole record, and the checksum (CRC-32) is that of everything behind it. The nonce belongs to one use of the files, and
 * serials count the records of that use from 1: so what an earlier use has left behind the last record is never taken for the next one.
 */
import { crc32 } from "node:zlib";

/** What stands before the body of a record. */
const HEAD_BYTES = 24;

/** What the checksum covers begins here. */
const SUMMED_FROM = 8;

/** No record is larger: a length beyond it is that of something else. */
const RECORD_BYTES_MAX = 16 * 1024 * 1024;

/** A record, as it is read. */
export interface RedoRecord {
  readonly nonce: number;
  readonly serial: number;
  readonly body: Uint8Array;
}

/** The body of a record: bytes, and the block that follows them, which is not copied before the record is written. */
export interface RedoBody {
  readonly head: Uint8Array;
  readonly block: Uint8Array;
  /** The length of both. */
  readonly byteLength: number;
}

/** The records of one use of the files, the first of which has the serial `first`, as a file has them. */
export function encodeRecords(
  nonce: number,
  first: number,
  bodies: readonly RedoBody[],
): Uint8Array<ArrayBuffer> {
  let size = 0;
  for (const { byteLength } of bodies) size += HEAD_BYTES + byteLength;
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  let at = 0;
  let serial = first;
  for (const { head, block, byteLength } of bodies) {
    const end = at + HEAD_BYTES + byteLength;
    view.setUint32(at, end - at);
    view.setFloat64(at + 8, nonce);
    view.setFloat64(at + 16, serial);
    bytes.set(head, at + HEAD_BYTES);
    bytes.set(block, at + HEAD_BYTES + head.byteLength);
    view.setUint32(at + 4, crc32(bytes.subarray(at + SUMMED_FROM, end)));
    at = end;
    serial += 1;
  }
  return bytes;
}

/** The records that `bytes` begin with: through the last one that is whole and follows on the one before it. */
export function readRecords(bytes: Uint8Array): RedoRecord[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const records: RedoRecord[] = [];
  for (let at = 0; at + HEAD_BYTES <= bytes.byteLength;) {
    const size = view.getUint32(at);
    const end = at + size;
    if (size < HEAD_BYTES || size > RECORD_BYTES_MAX || end > bytes.byteLength) break;
    if (view.getUint32(at + 4) !== crc32(bytes.subarray(at + SUMMED_FROM, end))) break;
    const [nonce, serial] = [view.getFloat64(at + 8), view.getFloat64(at + 16)];
    const last = records.at(-1);
    if (last !== undefined && (last.nonce !== nonce || last.serial + 1 !== serial)) break;
    records.push({ nonce, serial, body: bytes.subarray(at + HEAD_BYTES, end) });
    at = end;
  }
  return records;
}
