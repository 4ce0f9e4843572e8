/**
 * What a redo file can hold of what a store writes, as bytes: the entries of a node, and the frames of a log, where they bring nothing else. In front
 * of the block stand a byte for the form, one for the flags, and numbers as doubles.
 */
import { decodeBlock, MeridianError, type Cursor } from "@meridian/protocol";
import type { Claim } from "../disk-room.ts";
import type { JournalWrite } from "../writer-messages.ts";
import type { RedoBody } from "./redo-record.ts";

type EntriesWrite = Extract<JournalWrite, { readonly kind: "entries" }>;
type FrameWrite = Extract<JournalWrite, { readonly kind: "frame" }>;

const FORM = { entries: 1, frame: 2 } as const;
const CLAIMS: readonly Claim[] = ["set", "copy", "essential"];

/** Flags of entries; in front of them, in two bits, stands the claim. */
const HAS_CURSOR = 4;
const HAS_PLACE = 8;

/** Flags of frames. */
const IS_INCOMPLETE = 1;
const HAS_FOLLOWED = 2;
const HAS_COMPARED = 4;

const HEAD_BYTES = 2;
const NUMBER_BYTES = 8;

/** Larger blocks are not written twice. */
const BLOCK_BYTES_MAX = 16 * 1024;

/** The bytes of a write; undefined for one that no redo file can hold. Its block must not change before the record is written. */
export function encodeBody(write: JournalWrite): RedoBody | undefined {
  if (write.kind === "entries") return encodeEntries(write);
  return write.kind === "frame" ? encodeFrame(write) : undefined;
}

/** Reads what `encodeBody` has made; the block is a part of the same bytes. Throws `STORE_CORRUPT` for anything else. */
export function decodeBody(body: Uint8Array): JournalWrite {
  const reader = new Reader(body);
  const { form, flags } = reader;
  if (form === FORM.entries) return decodeEntries(reader, flags);
  if (form === FORM.frame) return decodeFrame(reader, flags);
  throw new MeridianError("STORE_CORRUPT", `Expected a record of a redo file, got form ${form}`);
}

function encodeEntries(write: EntriesWrite): RedoBody | undefined {
  const { id, replaced, quarantined, released, block, cursor, run } = write;
  if (id === 0 || replaced !== null || quarantined !== null || released.length > 0)
    return undefined;
  if (block.byteLength > BLOCK_BYTES_MAX) return undefined;
  const place = run?.place ?? null;
  const flags = CLAIMS.indexOf(write.claim) | (cursor ? HAS_CURSOR : 0) | (place ? HAS_PLACE : 0);
  const numbers = [id, write.count, write.highestTime, write.outboxPosition];
  if (cursor) addParts(numbers, cursor);
  if (place) addParts(numbers, place);
  return encode(FORM.entries, flags, numbers, block);
}

function decodeEntries(reader: Reader, flags: number): EntriesWrite {
  const [id, count, highestTime] = [reader.number(), reader.number(), reader.number()];
  const outboxPosition = reader.number();
  const cursor = (flags & HAS_CURSOR) === 0 ? null : reader.cursor();
  const place = (flags & HAS_PLACE) === 0 ? null : reader.cursor();
  const block = reader.rest();
  const run =
    place === null ? null : { place, keys: decodeBlock(block, count).map(({ key }) => key) };
  return {
    kind: "entries",
    id,
    count,
    highestTime,
    block,
    claim: CLAIMS[flags & 3] ?? "essential",
    outboxPosition,
    replaced: null,
    takenBack: null,
    cursor,
    run,
    quarantined: null,
    released: [],
  };
}

function encodeFrame(write: FrameWrite): RedoBody | undefined {
  const { after, through, count, highestTime, incarnation, position, block } = write;
  const { incomplete = false, followed, compared, place } = write;
  if (place !== undefined || block.byteLength > BLOCK_BYTES_MAX) return undefined;
  const flags =
    (incomplete ? IS_INCOMPLETE : 0) |
    (followed === undefined ? 0 : HAS_FOLLOWED) |
    (compared === undefined ? 0 : HAS_COMPARED);
  const numbers = [after, through, count, highestTime, incarnation, position];
  if (followed) addParts(numbers, followed);
  if (compared) addParts(numbers, compared);
  return encode(FORM.frame, flags, numbers, block);
}

function decodeFrame(reader: Reader, flags: number): FrameWrite {
  const [after, through, count] = [reader.number(), reader.number(), reader.number()];
  const [highestTime, incarnation] = [reader.number(), reader.number()];
  const position = reader.number();
  const followed = (flags & HAS_FOLLOWED) === 0 ? undefined : reader.cursor();
  const compared = (flags & HAS_COMPARED) === 0 ? undefined : reader.cursor();
  return {
    kind: "frame",
    after,
    through,
    count,
    highestTime,
    incarnation,
    position,
    incomplete: (flags & IS_INCOMPLETE) !== 0,
    ...(followed && { followed }),
    ...(compared && { compared }),
    block: reader.rest(),
  };
}

function encode(
  form: number,
  flags: number,
  numbers: readonly number[],
  block: Uint8Array,
): RedoBody {
  const head = new Uint8Array(HEAD_BYTES + numbers.length * NUMBER_BYTES);
  const view = new DataView(head.buffer);
  view.setUint8(0, form);
  view.setUint8(1, flags);
  let at = HEAD_BYTES;
  for (const number of numbers) {
    view.setFloat64(at, number);
    at += NUMBER_BYTES;
  }
  return { head, block, byteLength: head.byteLength + block.byteLength };
}

function addParts(numbers: number[], { logId, epoch, sequence }: Cursor): void {
  numbers.push(logId, epoch, sequence);
}

class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = HEAD_BYTES;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get form(): number {
    return this.#bytes[0] ?? 0;
  }

  get flags(): number {
    return this.#bytes[1] ?? 0;
  }

  number(): number {
    const at = this.#at;
    this.#at += NUMBER_BYTES;
    if (this.#at <= this.#bytes.byteLength) return this.#view.getFloat64(at);
    throw new MeridianError("STORE_CORRUPT", "Expected a longer record in a redo file");
  }

  cursor(): Cursor {
    return { logId: this.number(), epoch: this.number(), sequence: this.number() };
  }

  /** What is left: the same bytes. */
  rest(): Uint8Array {
    return this.#bytes.subarray(this.#at);
  }
}
