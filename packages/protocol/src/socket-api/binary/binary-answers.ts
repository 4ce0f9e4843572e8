/** What a region says in the binary subprotocol: how it is written, and how a client reads it. */
import { BadBytes, ByteReader } from "./byte-reader.ts";
import { ByteWriter } from "./byte-writer.ts";

/** The kinds of messages. */
const KIND = { result: 1, error: 2, changes: 3, reload: 4, position: 5 } as const;

/** The forms of results. */
const FORM = { json: 0, found: 1, unchanged: 2, many: 3, page: 4 } as const;

/** The events of changes. */
const EVENT = { set: 1, delete: 2, expire: 3, setWithValue: 4 } as const;

/** Stands for the id of a request that nobody can tell. */
const NO_ID = 0xff_ff_ff_ff;

/** What a region says of an entry. */
interface BinaryFacts {
  /** In its quotes. */
  readonly etag: string;
  readonly contentType: string;
  /** Null for never. */
  readonly expiresAtMs: number | null;
}

/** An entry with its value. */
export interface BinaryEntry extends BinaryFacts {
  readonly value: Uint8Array;
}

/** An entry under its key. */
export interface BinaryKeyed extends BinaryEntry {
  readonly key: string;
}

/** A change of a key. `value` is there where values were asked for. */
export type BinaryChange =
  | ({ readonly event: "set"; readonly key: string; readonly value?: Uint8Array } & BinaryFacts)
  | { readonly event: "delete" | "expire"; readonly key: string; readonly etag: string };

/** A result by its form. */
export type BinaryResult =
  | { readonly form: "json"; readonly json: string }
  | { readonly form: "found"; readonly entry: BinaryEntry }
  | { readonly form: "unchanged"; readonly etag: string; readonly expiresAtMs: number | null }
  | { readonly form: "many"; readonly entries: readonly (BinaryEntry | undefined)[] }
  | {
      readonly form: "page";
      readonly entries: readonly BinaryKeyed[];
      readonly next: string | null;
    };

/** A message of a region. `position` is undefined where it is that of the message before. */
export type BinaryMessage = { readonly position: string | undefined } & (
  | { readonly kind: "result"; readonly id: number; readonly result: BinaryResult }
  /** A problem document; without an id, of a message that is no request. */
  | { readonly kind: "error"; readonly id: number | null; readonly problem: string }
  | {
      readonly kind: "changes";
      readonly id: number;
      readonly resume: string;
      readonly changes: readonly BinaryChange[];
    }
  | { readonly kind: "reload"; readonly id: number; readonly resume: string }
  | {
      readonly kind: "position";
      readonly id: number;
      readonly resume: string;
      readonly elapsedMs: number;
      readonly nowMs: number;
    }
);

/** The bytes of a result that is JSON. */
export function jsonResult(json: string): Uint8Array {
  const text = new TextEncoder().encode(json);
  return new ByteWriter(text.length + 1).u8(FORM.json).raw(text).end();
}

/** The bytes of an entry that was found. */
export function foundResult(entry: BinaryEntry): Uint8Array {
  return writeEntry(new ByteWriter(entry.value.length + 128).u8(FORM.found), entry).end();
}

/** The bytes of a result whose value the client has already. */
export function unchangedResult(etag: string, expiresAtMs: number | null): Uint8Array {
  return new ByteWriter(64)
    .u8(FORM.unchanged)
    .text(etag)
    .f64(expiresAtMs ?? 0)
    .end();
}

/** The bytes of one entry of `manyResult`. */
export function manyPart(entry: BinaryEntry | undefined): Uint8Array {
  if (entry === undefined) return new Uint8Array([0]);
  return writeEntry(new ByteWriter(entry.value.length + 128).u8(1), entry).end();
}

/** The bytes of the entries of several keys, in the order in which they were asked for. */
export function manyResult(parts: readonly Uint8Array[]): Uint8Array {
  return joined(new ByteWriter(sizeOf(parts)).u8(FORM.many).u16(parts.length), parts).end();
}

/** The bytes of one entry of `pageResult`. */
export function pagePart(entry: BinaryKeyed): Uint8Array {
  return writeEntry(new ByteWriter(entry.value.length + 256).text(entry.key), entry).end();
}

/** The bytes of a page of entries. */
export function pageResult(parts: readonly Uint8Array[], next: string | null): Uint8Array {
  const writer = new ByteWriter(sizeOf(parts)).u8(FORM.page).u16(parts.length);
  joined(writer, parts).u8(next === null ? 0 : 1);
  return (next === null ? writer : writer.text(next)).end();
}

/** A whole message with a result. */
export function resultMessage(
  id: number,
  position: string | undefined,
  result: Uint8Array,
): Uint8Array {
  return head(KIND.result, id, position, result.length).raw(result).end();
}

/** A whole message with a problem document. */
export function errorMessage(
  id: number | null,
  position: string | undefined,
  problem: string,
): Uint8Array {
  const text = new TextEncoder().encode(problem);
  return head(KIND.error, id ?? NO_ID, position, text.length)
    .raw(text)
    .end();
}

/** A whole message with changes. */
export function changesMessage(
  id: number,
  position: string | undefined,
  resume: string,
  changes: readonly BinaryChange[],
): Uint8Array {
  const writer = head(KIND.changes, id, position, 128).text(resume).u16(changes.length);
  for (const change of changes) writeChange(writer, change);
  return writer.end();
}

/** A whole message that has the client read anew. */
export function reloadMessage(
  id: number,
  position: string | undefined,
  resume: string,
): Uint8Array {
  return head(KIND.reload, id, position, 64).text(resume).end();
}

/** A whole message that says how far a watch has told. */
export function positionMessage(
  id: number,
  position: string | undefined,
  resume: string,
  { elapsedMs, nowMs }: { readonly elapsedMs: number; readonly nowMs: number },
): Uint8Array {
  return head(KIND.position, id, position, 64).text(resume).f64(elapsedMs).f64(nowMs).end();
}

function head(kind: number, id: number, position: string | undefined, size: number): ByteWriter {
  return new ByteWriter(size + 160)
    .u8(kind)
    .u32(id)
    .text(position ?? "");
}

function writeEntry(writer: ByteWriter, entry: BinaryEntry): ByteWriter {
  return writeFacts(writer, entry).value(entry.value);
}

function writeFacts(writer: ByteWriter, facts: BinaryFacts): ByteWriter {
  const { etag, contentType, expiresAtMs } = facts;
  return writer
    .text(etag)
    .text(contentType)
    .f64(expiresAtMs ?? 0);
}

function writeChange(writer: ByteWriter, change: BinaryChange): void {
  if (change.event !== "set") {
    writer.u8(EVENT[change.event]).text(change.key).text(change.etag);
    return;
  }
  const { key, value } = change;
  writeFacts(writer.u8(value === undefined ? EVENT.set : EVENT.setWithValue).text(key), change);
  if (value !== undefined) writer.value(value);
}

function sizeOf(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, { length }) => sum + length, 64);
}

function joined(writer: ByteWriter, parts: readonly Uint8Array[]): ByteWriter {
  for (const part of parts) writer.raw(part);
  return writer;
}

/** Reads a message of a region. Throws `BadBytes` for anything else. */
export function readBinaryMessage(message: Uint8Array): BinaryMessage {
  const reader = new ByteReader(message);
  const kind = reader.u8();
  const named = reader.u32();
  const position = reader.text() || undefined;
  if (kind === KIND.error) {
    return { kind: "error", id: named === NO_ID ? null : named, position, problem: reader.rest() };
  }
  const read = readRest(kind, named, position, reader);
  reader.end();
  return read;
}

function readRest(
  kind: number,
  id: number,
  position: string | undefined,
  reader: ByteReader,
): BinaryMessage {
  if (kind === KIND.result) return { kind: "result", id, position, result: readResult(reader) };
  if (kind < KIND.changes || kind > KIND.position) {
    throw new BadBytes(`Expected a kind from 1 to ${KIND.position}, got ${kind}`);
  }
  const resume = reader.text();
  if (kind === KIND.reload) return { kind: "reload", id, position, resume };
  if (kind === KIND.position) {
    const [elapsedMs, nowMs] = [reader.f64(), reader.f64()];
    return { kind: "position", id, position, resume, elapsedMs, nowMs };
  }
  const changes = listOf(reader, () => readChange(reader));
  return { kind: "changes", id, position, resume, changes };
}

function readResult(reader: ByteReader): BinaryResult {
  const form = reader.u8();
  switch (form) {
    case FORM.json:
      return { form: "json", json: reader.rest() };
    case FORM.found:
      return { form: "found", entry: readEntry(reader) };
    case FORM.unchanged:
      return { form: "unchanged", etag: reader.text(), expiresAtMs: reader.f64() || null };
    case FORM.many: {
      const entries = listOf(reader, () => (reader.u8() === 0 ? undefined : readEntry(reader)));
      return { form: "many", entries };
    }
    case FORM.page: {
      const entries = listOf(reader, () => ({ key: reader.text(), ...readEntry(reader) }));
      return { form: "page", entries, next: reader.u8() === 0 ? null : reader.text() };
    }
    default:
      throw new BadBytes(`Expected a form from 0 to ${FORM.page}, got ${form}`);
  }
}

function readEntry(reader: ByteReader): BinaryEntry {
  return { ...readFacts(reader), value: reader.value() };
}

function readFacts(reader: ByteReader): BinaryFacts {
  return {
    etag: reader.text(),
    contentType: reader.text(),
    expiresAtMs: reader.f64() || null,
  };
}

function readChange(reader: ByteReader): BinaryChange {
  const event = reader.u8();
  const key = reader.text();
  if (event === EVENT.delete) return { event: "delete", key, etag: reader.text() };
  if (event === EVENT.expire) return { event: "expire", key, etag: reader.text() };
  if (event !== EVENT.set && event !== EVENT.setWithValue) {
    throw new BadBytes(`Expected an event from 1 to 4, got ${event}`);
  }
  const facts = readFacts(reader);
  if (event === EVENT.set) return { event: "set", key, ...facts };
  return { event: "set", key, ...facts, value: reader.value() };
}

/** A list, as long as it says. Nothing is set aside for it: a list that says more than there is ends where the message does. */
function listOf<Item>(reader: ByteReader, item: () => Item): readonly Item[] {
  const items: Item[] = [];
  for (let left = reader.u16(); left > 0; left -= 1) items.push(item());
  return items;
}
