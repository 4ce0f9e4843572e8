/** `/batch/get` and `/batch/set`: many keys in one request. */
import { checkOption, type JsonAnswer } from "@meridian/http";
import {
  checkClientKey,
  checkTtlMs,
  KEY_BYTES_MAX,
  MeridianError,
  parseTtlMs,
} from "@meridian/protocol";

import type { batchFound, batchWritten, Described } from "@meridian/protocol/http-api";

import type { RegionService } from "../../service/region-service.ts";
import { checkBytes, checkContentType, factsOf, type SetRequest } from "../../service/requests.ts";
import { OneAtATime } from "../../service/one-at-a-time.ts";
import { readAck } from "./arguments.ts";
import { CONTENT_TYPE_DEFAULT, faceOf } from "./entry-face.ts";
import type { RegionExchange } from "./exchange.ts";
import { checkShape } from "./json-shape.ts";
import { describeFound, TEXT_CONTENT_TYPE } from "./short-routes.ts";
import { TextPieces } from "./text-pieces.ts";

const KEYS_MAX = 1_000;
/** The largest body that names keys: escaped, a byte of theirs takes six. */
const KEYS_BYTES_MAX = KEYS_MAX * (6 * KEY_BYTES_MAX + 16);
/** A batch is an object with a list of objects, each of which has a few members. */
const JSON_BOUNDS = { depthMax: 16, partsMax: 10 * KEYS_MAX };
/** The largest body of a batch, and the most bytes of values that one answers, unless one value may be larger. */
const BATCH_BYTES_MAX = 16 * 1024 * 1024;

/** After so many bytes of values, other work has its turn. */
const BYTES_PER_TURN = 1024 * 1024;
/** What a key costs beside its value, in bytes of values. */
const KEY_COST = 4 * 1024;

/** One at a time, so that not many answers are held in part between their turns. */
const batches = new OneAtATime();

type JsonObject = Readonly<Record<string, unknown>>;

type FoundAnswer = JsonAnswer<Described<typeof batchFound>>;

/** `POST /batch/get` */
export async function batchGet(exchange: RegionExchange): Promise<FoundAnswer> {
  exchange.query();
  await exchange.admit();
  const body = await readJson(exchange, ["keys"], KEYS_BYTES_MAX);
  const keys = listOf(body, "keys").map((key) => checkClientKey(textOf(key, "keys")));
  return batches.run(() => answerOf(exchange, keys));
}

async function answerOf(exchange: RegionExchange, keys: readonly string[]): Promise<FoundAnswer> {
  const { service } = exchange;
  const text = new TextPieces('{"entries":[');
  let bytes = 0;
  let work = 0;
  for (const [index, key] of keys.entries()) {
    const found = service.reads.find(key);
    bytes += found?.record.entry.value.byteLength ?? 0;
    checkBytes("one answer", bytes, bytesMaxOf(service));
    const entry: Described<typeof batchFound>["entries"][number] =
      found === undefined
        ? { key, found: false }
        : describeFound(found.record.entry, faceOf(found.record));
    text.add(`${index === 0 ? "" : ","}${JSON.stringify(entry)}`);
    work += KEY_COST + (found?.record.entry.value.byteLength ?? 0);
    if (work < BYTES_PER_TURN) continue;
    work = 0;
    await new Promise((resolve) => setImmediate(resolve));
  }
  text.add("]}");
  return exchange.jsonPieces(text.end());
}

/** `POST /batch/set` */
export async function batchSet(
  exchange: RegionExchange,
): Promise<JsonAnswer<Described<typeof batchWritten>>> {
  exchange.query();
  const { service } = exchange;
  await exchange.admit();
  const body = await readJson(exchange, ["entries", "ack", "timeout"], bytesMaxOf(service));
  const requests = listOf(body, "entries").map((item) => setRequestOf(service, item));
  const ack = readAck(ackTextOf(body["ack"]), optionalText(body, "timeout"));
  const written = await service.writes.set(requests, ack);
  return exchange.json(200, {
    entries: written.entries.map(factsOf),
    acknowledged: written.acknowledged,
  });
}

function bytesMaxOf({ writes }: RegionService): number {
  return Math.max(BATCH_BYTES_MAX, 2 * writes.valueBytesMax);
}

async function readJson(
  exchange: RegionExchange,
  known: readonly string[],
  bytesMax: number,
): Promise<JsonObject> {
  const bytes = await exchange.body(bytesMax);
  checkShape(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), JSON_BOUNDS);
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new MeridianError("INVALID_BODY", "Expected JSON in UTF-8, got something else", {
      cause,
    });
  }
  return objectOf(json, "the body", known);
}

function setRequestOf(service: RegionService, item: unknown): SetRequest {
  const known = ["key", "value", "encoding", "contentType", "ttl"];
  const entry = objectOf(item, "each of `entries`", known);
  const key = checkClientKey(textOf(entry["key"], "key"));
  const encoding = optionalText(entry, "encoding") ?? "utf8";
  const value = bytesOf(textOf(entry["value"], "value"), encoding);
  service.writes.checkLength(value.byteLength);
  const contentType =
    optionalText(entry, "contentType") ??
    (encoding === "utf8" ? TEXT_CONTENT_TYPE : CONTENT_TYPE_DEFAULT);
  checkContentType(contentType);
  const ttlMs = ttlMsOf(entry["ttl"]);
  return { key, value, contentType, ...(ttlMs !== undefined && { ttlMs }) };
}

function bytesOf(text: string, encoding: string): Uint8Array {
  if (encoding === "utf8") {
    if (!/\p{Surrogate}/u.test(text)) return new TextEncoder().encode(text);
    throw invalid("Expected `value` of well-formed Unicode, got a lone surrogate");
  }
  if (encoding !== "base64") {
    throw invalid(
      `Expected \`encoding\` to be \`utf8\` or \`base64\`, got \`${encoding.slice(0, 100)}\``,
    );
  }
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) {
    throw invalid("Expected `value` in padded base64, got something else");
  }
  return new Uint8Array(Buffer.from(text, "base64"));
}

function ttlMsOf(ttl: unknown): number | undefined {
  if (ttl === undefined) return undefined;
  if (typeof ttl === "number") return checkTtlMs(ttl * 1_000, `${ttl} seconds`);
  return parseTtlMs(textOf(ttl, "ttl"));
}

function ackTextOf(ack: unknown): string | undefined {
  return typeof ack === "number" ? String(ack) : ack === undefined ? undefined : textOf(ack, "ack");
}

function objectOf(json: unknown, what: string, known: readonly string[]): JsonObject {
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw new MeridianError(
      "INVALID_BODY",
      `Expected ${what} to be an object, got ${kindOf(json)}`,
    );
  }
  for (const name of Object.keys(json)) checkOption(name, known);
  return json as JsonObject;
}

function listOf(body: JsonObject, name: string): readonly unknown[] {
  const list = body[name];
  if (!Array.isArray(list)) {
    throw new MeridianError(
      "INVALID_BODY",
      `Expected \`${name}\` to be a list, got ${kindOf(list)}`,
    );
  }
  if (list.length >= 1 && list.length <= KEYS_MAX) return list;
  throw invalid(`Expected 1 to ${KEYS_MAX} of \`${name}\`, got ${list.length}`);
}

function optionalText(object: JsonObject, name: string): string | undefined {
  return object[name] === undefined ? undefined : textOf(object[name], name);
}

function textOf(json: unknown, name: string): string {
  if (typeof json === "string") return json;
  throw new MeridianError("INVALID_BODY", `Expected \`${name}\` to be text, got ${kindOf(json)}`);
}

function kindOf(json: unknown): string {
  if (json === null) return "null";
  if (json === undefined) return "nothing";
  return Array.isArray(json) ? "a list" : `${typeof json === "object" ? "an" : "a"} ${typeof json}`;
}

function invalid(message: string): MeridianError {
  return new MeridianError("INVALID_ARGUMENT", message);
}
