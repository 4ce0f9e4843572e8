/**
 * What the messages of the stream say.
 *
 * A record is a JSON text behind its length in four bytes, and the frame's block behind that. The first byte of a message is 1 if a record behind it is
 * whole with it, and 2 if several records are behind it, each behind its length in four bytes. A record that is larger than a message may be is cut into
 * parts: the first byte of all but the last is 0. The parts of a writer that died before the last one are followed by the message of the next epoch,
 * and dropped.
 */
import type { LogRecord } from "@meridian/ports";
import { MeridianError } from "@meridian/protocol";
import * as v from "valibot";

/** The begin of an epoch: which log this is, and all epochs, so that the newest message alone tells them. */
export interface EpochRecord {
  readonly cluster: string;
  readonly logId: number;
  /** Each epoch with the sequence of the log just before its first, oldest first; at least one. */
  readonly epochs: readonly (readonly [epoch: number, after: number])[];
  /** Whether the log was in a data folder before: what it had then is in no message, and only a snapshot has it. */
  readonly isMoved: boolean;
}

/** The format of the messages. A directory refuses a stream whose newest epoch has a later one. */
const FORMAT = 2;

/** For how many epochs the start is remembered, as in SQLite. A node whose epoch is older reconciles. */
const EPOCHS_MAX = 1_000;

const WHOLE = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

const CURSOR = v.object({ logId: WHOLE, epoch: WHOLE, sequence: WHOLE });

const FRAME = v.object({
  kind: v.literal("frame"),
  after: WHOLE,
  through: WHOLE,
  count: WHOLE,
  highestTime: WHOLE,
  incarnation: WHOLE,
  position: WHOLE,
  incomplete: v.exactOptional(v.boolean()),
  followed: v.exactOptional(CURSOR),
  compared: v.exactOptional(CURSOR),
});

const MEMBER = v.object({
  id: v.string(),
  region: v.string(),
  url: v.string(),
  ip: v.string(),
  port: v.number(),
  lat: v.number(),
  lon: v.number(),
  generation: v.number(),
  seenAtMs: v.number(),
});

const RECORD = v.variant("kind", [
  FRAME,
  v.object({ kind: v.literal("admit"), time: WHOLE }),
  v.object({
    kind: v.literal("horizon"),
    state: v.object({
      horizon: WHOLE,
      frozenUntilMs: v.number(),
      marks: v.array(v.tuple([v.number(), WHOLE])),
    }),
  }),
  v.object({
    kind: v.literal("doubt"),
    doubt: v.nullable(v.object({ why: v.string(), sinceMs: v.number() })),
  }),
  v.object({
    kind: v.literal("members"),
    members: v.array(MEMBER),
    dropped: v.array(v.string()),
  }),
]);

const EPOCH = v.object({
  format: WHOLE,
  cluster: v.string(),
  logId: WHOLE,
  epochs: v.pipe(v.array(v.tuple([WHOLE, WHOLE])), v.minLength(1)),
  isMoved: v.optional(v.boolean(), false),
});

/** Encodes a record. */
export function encodeRecord(record: LogRecord): Uint8Array {
  const { block, ...rest } = record.kind === "frame" ? record : { ...record, block: NONE };
  const text = Buffer.from(JSON.stringify(rest));
  const bytes = Buffer.allocUnsafe(4 + text.byteLength + block.byteLength);
  bytes.writeUInt32BE(text.byteLength);
  bytes.set(text, 4);
  bytes.set(block, 4 + text.byteLength);
  return bytes;
}

/** Decodes a record. Throws `STORE_CORRUPT`. */
export function decodeRecord(bytes: Uint8Array): LogRecord {
  try {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const end = 4 + buffer.readUInt32BE();
    if (end > buffer.byteLength) throw new Error(`Expected ${end} bytes, got ${buffer.byteLength}`);
    const record = v.parse(RECORD, JSON.parse(buffer.toString("utf8", 4, end)));
    return record.kind === "frame"
      ? { ...record, block: new Uint8Array(buffer.subarray(end)) }
      : record;
  } catch (cause) {
    throw corrupt("a record of a directory's log", cause);
  }
}

const NONE = new Uint8Array(0);

/** Cuts a record into the data of messages, each of at most `bytesMax` bytes and one. */
export function partsOf(bytes: Uint8Array, bytesMax: number): readonly Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let start = 0; ;) {
    const end = Math.min(start + bytesMax, bytes.byteLength);
    const part = new Uint8Array(1 + end - start);
    part[0] = end === bytes.byteLength ? 1 : 0;
    part.set(bytes.subarray(start, end), 1);
    parts.push(part);
    if (end === bytes.byteLength) return parts;
    start = end;
  }
}

/** What a record takes in a message of several beside its own bytes. */
export const PACKED_BYTES = 4;

const SEVERAL = 2;

/** Packs whole records into the data of one message. */
export function packRecords(records: readonly Uint8Array[]): Uint8Array {
  const bytes = records.reduce((sum, record) => sum + PACKED_BYTES + record.byteLength, 1);
  const packed = Buffer.allocUnsafe(bytes);
  packed[0] = SEVERAL;
  let at = 1;
  for (const record of records) {
    packed.writeUInt32BE(record.byteLength, at);
    packed.set(record, at + PACKED_BYTES);
    at += PACKED_BYTES + record.byteLength;
  }
  return packed;
}

function unpackRecords(data: Uint8Array): readonly Uint8Array[] {
  const packed = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const records: Uint8Array[] = [];
  for (let at = 1; at < packed.byteLength;) {
    const end =
      at + PACKED_BYTES + (at + PACKED_BYTES > packed.byteLength ? NaN : packed.readUInt32BE(at));
    if (!(end <= packed.byteLength)) {
      const said = `Expected a message of ${packed.byteLength} bytes with whole records`;
      throw corrupt("records of a directory's log", said);
    }
    records.push(packed.subarray(at + PACKED_BYTES, end));
    at = end;
  }
  return records;
}

/** Finds the records in messages as they come. */
export class RecordParts {
  #parts: Uint8Array[] = [];

  /** Takes the data of a message. Returns the records that are whole with it. Throws `STORE_CORRUPT`. */
  take(data: Uint8Array): readonly Uint8Array[] {
    if (data[0] === SEVERAL) return unpackRecords(data);
    this.#parts.push(data.subarray(1));
    if (data[0] !== 1) return [];
    const [only] = this.#parts;
    const whole = this.#parts.length === 1 && only ? only : Buffer.concat(this.#parts);
    this.#parts = [];
    return [whole];
  }

  /** Drops the parts of a record that has no last one. */
  drop(): void {
    this.#parts = [];
  }
}

/** Encodes the begin of an epoch. */
export function encodeEpoch({ epochs, ...record }: EpochRecord): Uint8Array {
  const newest = epochs.slice(-EPOCHS_MAX);
  return Buffer.from(JSON.stringify({ format: FORMAT, ...record, epochs: newest }));
}

/** Decodes the begin of an epoch. Throws `STORE_CORRUPT`, and `STORE_SCHEMA_TOO_NEW` if a later version has written it. */
export function decodeEpoch(data: Uint8Array): EpochRecord {
  let read: v.InferOutput<typeof EPOCH>;
  try {
    read = v.parse(EPOCH, JSON.parse(Buffer.from(data).toString()));
  } catch (cause) {
    throw corrupt("the begin of an epoch", cause);
  }
  const { format, ...record } = read;
  if (format <= FORMAT) return record;
  const said = `Expected a stream of format ${FORMAT} at most, got ${format}: a newer version has written it`;
  throw new MeridianError("STORE_SCHEMA_TOO_NEW", said);
}

function corrupt(what: string, cause: unknown): MeridianError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new MeridianError("STORE_CORRUPT", `Expected ${what} in the stream: ${why}`, { cause });
}
