/** Turns the answers of nodes into the results of calls: entries, keys and acknowledgements. */
import type { NodeAnswer } from "./caller.ts";
import { fromBase64, MeridianError } from "@meridian/protocol";
import {
  checkAnswer,
  type batchFound,
  keyPage,
  type batchWritten,
  type Described,
} from "@meridian/protocol/http-api";
import type { GenericSchema } from "valibot";

import type { KeyInfo, RawEntry, Written } from "./call-options.ts";
import { readJson } from "./problem.ts";
import { bytesOf, type ReceivedValue } from "./values.ts";

/** Parses a JSON answer and checks it against its schema. Throws `INVALID_BODY` if it is not JSON, `INTERNAL` if it does not match the schema. */
export function answerOf<Schema extends GenericSchema>(
  schema: Schema,
  { answer, node }: NodeAnswer,
): Described<Schema> {
  const from = `node ${node.info.id}`;
  return checkAnswer(schema, readJson(answer, from), from);
}

/** An entry of an answer. Most callers use the value only. */
export interface ReceivedEntry extends ReceivedValue {
  readonly etag: unknown;
  readonly expiresAtMs: unknown;
}

/** The entry that an answer carries as its body. */
export function carriedEntryOf({ headers, body }: NodeAnswer["answer"]): ReceivedEntry {
  return {
    contentType: headers.get("content-type") ?? "",
    bytes: body,
    etag: headers.get("etag"),
    expiresAtMs: Number(headers.get("meridian-expires-at")),
  };
}

/**
 * The found entries of a batch answer, by their keys. Only the members that are used are checked: checking each entry against its
 * schema takes as long as parsing it.
 */
export function batchEntriesOf({ answer, node }: NodeAnswer): ReadonlyMap<string, ReceivedEntry> {
  if (answer.entries !== undefined) return answer.entries;
  const from = `node ${node.info.id}`;
  const batch = readJson(answer, from) as Partial<Described<typeof batchFound>> | null;
  const found = new Map<string, ReceivedEntry>();
  for (const entry of listOf(batch?.entries, from)) {
    if (entry?.found !== true) continue;
    if (typeof entry.value !== "string" || typeof entry.contentType !== "string") {
      throw odd(from, "a value and a content type");
    }
    found.set(entry.key, describedEntryOf(entry));
  }
  return found;
}

/** The entry of a JSON answer. */
export function describedEntryOf(
  entry: Omit<ReceivedEntry, "bytes" | "text"> & {
    readonly value?: string | undefined;
    readonly encoding?: string | undefined;
  },
): ReceivedEntry {
  const { value = "", encoding, contentType, etag, expiresAtMs } = entry;
  const base64 = encoding === "base64";
  return {
    contentType,
    bytes: base64 ? fromBase64(value) : undefined,
    text: base64 ? undefined : value,
    etag,
    expiresAtMs,
  };
}

function listOf<Item>(list: readonly Item[] | undefined, from: string): readonly Item[] {
  if (Array.isArray(list)) return list;
  throw odd(from, "a list of them");
}

function odd(from: string, expected: string): MeridianError {
  const said = `Expected \`entries\` from ${from} to have ${expected}, got something else`;
  return new MeridianError("INTERNAL", said);
}

/** A received entry as `getRaw` returns it. */
export function rawEntryOf(entry: ReceivedEntry): RawEntry {
  return {
    value: bytesOf(entry),
    contentType: entry.contentType,
    etag: bareEtag(entry.etag),
    expiresAtMs: instantOf(entry.expiresAtMs),
  };
}

/** A page of a listing. */
export interface ListedPage {
  readonly entries: readonly ListedEntry[];
  /** The key after which to go on; null at the end. */
  readonly next: string | null;
}

/** An entry of a listing. */
export interface ListedEntry {
  readonly key: string;
  /** How long its value is. */
  readonly bytes: number;
  /** Whether `entry` has the value. */
  readonly hasValue: boolean;
  readonly entry: ReceivedEntry;
}

/** The page that an answer has. */
export function listedPageOf(reply: NodeAnswer): ListedPage {
  if (reply.answer.page !== undefined) return reply.answer.page;
  const { keys, next } = answerOf(keyPage, reply);
  const entries = keys.map((told) => {
    const { key, bytes, value } = told;
    return { key, bytes, hasValue: value !== undefined, entry: describedEntryOf(told) };
  });
  return { entries, next };
}

/** A key of a listing. */
export function keyInfoOf({ key, bytes, entry }: ListedEntry): KeyInfo {
  const { contentType, etag, expiresAtMs } = entry;
  return {
    key,
    bytes,
    contentType,
    etag: bareEtag(etag),
    expiresAtMs: instantOf(expiresAtMs),
  };
}

/** What was written. */
export function writtenOf({
  key,
  etag,
  expiresAtMs,
}: Described<typeof batchWritten>["entries"][number]): Written {
  return { key, etag: bareEtag(etag), expiresAtMs: instantOf(expiresAtMs) };
}

/** An instant in milliseconds since the Unix epoch; undefined for never. */
export function instantOf(value: unknown): number | undefined {
  return typeof value === "number" && value > 0 ? value : undefined;
}

/** Etags are quoted in headers; callers get and give them bare. */
export function bareEtag(value: unknown): string {
  return textOf(value).replace(/^(W\/)?"(.*)"$/, "$2");
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
