/** What a node does for each request that comes over a WebSocket. Options and errors are those of its HTTP API. */
import { isUtf8 } from "node:buffer";

import { readWhole } from "@meridian/http";
import { checkClientKey, MeridianError, parsePosition, type Entry } from "@meridian/protocol";
import {
  isDeeperThan,
  SOCKET_DEPTH_MAX,
  type SocketItem,
  type SocketRequest,
  type SocketRequestOf,
  type SocketRequestType,
  type ValueEncoding,
} from "@meridian/protocol/socket-api";

import { OneAtATime } from "../../service/one-at-a-time.ts";
import type { RegionService } from "../../service/region-service.ts";
import {
  checkBytes,
  checkContentType,
  factsOf,
  type AckRequest,
  type Condition,
  type SetRequest,
  type WriteResult,
} from "../../service/requests.ts";
import { Steps } from "../../service/steps.ts";
import { readAck, readLife, ttlMsOf } from "../api/arguments.ts";
import { conditionOf, noneMatchNames } from "../api/conditions.ts";
import { CONTENT_TYPE_DEFAULT, faceOf, type EntryFace } from "../api/entry-face.ts";
import { describeFound, isShortAsJson, keyNotFound } from "../api/found-entry.ts";
import { pageOf, pageWithValues } from "../api/key-pages.ts";
import { bytesOf, TEXT_CONTENT_TYPE } from "../api/value-text.ts";

/** The largest message that a node takes and sends, unless one value may be larger, in bytes. */
const MESSAGE_BYTES_MAX = 2 * 1024 * 1024;

/** Long answers are made one at a time, so that not many are held in part between their turns. */
const answering = new OneAtATime();

const JSON_CONTENT_TYPE = "application/json";
const WAIT_MS_DEFAULT = 500;

/** The largest message that a node takes, in bytes. */
export function messageBytesMax({ writes }: Pick<RegionService, "writes">): number {
  return Math.max(MESSAGE_BYTES_MAX, 2 * writes.valueBytesMax);
}

/** Requests that a node answers from its data; the others are about the connection itself. */
export type DataRequest = Exclude<SocketRequest, { readonly type: ConnectionRequest }>;

type ConnectionRequest = "auth" | "ping" | "watch" | "unwatch";

/** Whether a request is answered from the data. */
export function isDataRequest(request: SocketRequest): request is DataRequest {
  return Object.hasOwn(OPERATIONS, request.type);
}

/** Does what a request asks for, and resolves to its result as JSON. Rejects with the errors of the HTTP API. */
export function operate(service: RegionService, request: DataRequest): Promise<string> {
  const operation = OPERATIONS[request.type] as Operation<SocketRequestType>;
  return operation(service, request);
}

type Operation<Type extends SocketRequestType> = (
  service: RegionService,
  request: SocketRequestOf<Type>,
) => Promise<string>;

const OPERATIONS: { readonly [Type in DataRequest["type"]]: Operation<Type> } = {
  get,
  set,
  delete: remove,
  touch,
  getMany,
  setMany,
  deleteMany,
  entries,
};

async function get(service: RegionService, request: SocketRequestOf<"get">): Promise<string> {
  const { encoding, ifNoneMatch, stale } = request;
  const key = checkClientKey(request.key);
  await admit(service, request, stale);
  const found = service.reads.find(key);
  if (found === undefined) throw keyNotFound(key);
  const face = faceOf(found.record);
  if (ifNoneMatch !== undefined && noneMatchNames(ifNoneMatch, face.etag)) {
    return JSON.stringify({ key, found: true, unchanged: true, etag: face.etag });
  }
  return foundJson(found.record.entry, face, encoding);
}

async function set(service: RegionService, request: SocketRequestOf<"set">): Promise<string> {
  const item = setRequestOf(service, request);
  const ack = ackOf(request);
  const condition = conditionsOf(request);
  await admit(service, request);
  return writtenJson(await service.writes.set([item], ack, condition));
}

async function remove(service: RegionService, request: SocketRequestOf<"delete">): Promise<string> {
  const key = checkClientKey(request.key);
  const ack = ackOf(request);
  const condition = conditionsOf(request);
  await admit(service, request);
  const result = await service.writes.delete(key, ack, condition);
  return writtenJson(result, { deleted: result.deleted });
}

async function touch(service: RegionService, request: SocketRequestOf<"touch">): Promise<string> {
  const { ttl, expiresAt } = request;
  const key = checkClientKey(request.key);
  const until = expiresAt === undefined ? undefined : String(expiresAt);
  const life = readLife(textOf(ttl), until, service.time.nowMs());
  const ack = ackOf(request);
  await admit(service, request);
  const bytes = service.reads.peek(key)?.value.byteLength ?? 0;
  const result = await service.writes.touch(key, life, bytes, ack);
  if (result.entries.length === 0) throw keyNotFound(key);
  return writtenJson(result);
}

async function getMany(
  service: RegionService,
  request: SocketRequestOf<"getMany">,
): Promise<string> {
  const keys = request.keys.map(checkClientKey);
  await admit(service, request);
  return answering.run(() => manyJson(service, keys, request.encoding));
}

async function manyJson(
  service: RegionService,
  keys: readonly string[],
  encoding: ValueEncoding | undefined,
): Promise<string> {
  const [parts, steps]: [string[], Steps] = [[], new Steps()];
  let length = 0;
  for (const key of keys) {
    const record = service.reads.find(key)?.record;
    const part =
      record === undefined
        ? JSON.stringify({ key, found: false })
        : foundJson(record.entry, faceOf(record), encoding);
    length += part.length;
    checkBytes("one answer", length, messageBytesMax(service));
    parts.push(part);
    await steps.spend(part.length);
  }
  return `{"entries":[${parts.join(",")}]}`;
}

async function setMany(
  service: RegionService,
  request: SocketRequestOf<"setMany">,
): Promise<string> {
  const items = request.entries.map((item) => setRequestOf(service, item));
  const ack = ackOf(request);
  await admit(service, request);
  const { entries: all, acknowledged } = await service.writes.set(items, ack);
  return JSON.stringify({ entries: all.map(factsOf), acknowledged });
}

async function deleteMany(
  service: RegionService,
  request: SocketRequestOf<"deleteMany">,
): Promise<string> {
  const keys = [...new Set(request.keys.map(checkClientKey))];
  const ack = ackOf(request);
  await admit(service, request);
  const { entries: all, deleted, acknowledged } = await service.writes.deleteAll(keys, ack);
  const told = all.map((entry) => {
    const { key, etag } = factsOf(entry);
    return { key, etag, deleted: deleted.has(key) };
  });
  return JSON.stringify({ entries: told, acknowledged });
}

async function entries(
  service: RegionService,
  request: SocketRequestOf<"entries">,
): Promise<string> {
  const { prefix = "", after, limit, values } = request;
  const bounds = { min: 1, max: 1_000, fallback: 100 };
  await admit(service, request);
  const page = await service.reads.list({
    prefix,
    limit: readWhole("limit", textOf(limit), bounds),
    ...(after !== undefined && { after }),
  });
  if (values !== true) return JSON.stringify(pageOf(page));
  return answering.run(async () => Buffer.concat(await pageWithValues(service, page)).toString());
}

/** The JSON of a live entry, its value in the encoding that was asked for, or in the shortest that can say it. Throws `INVALID_ARGUMENT`. */
function foundJson(entry: Entry, face: EntryFace, encoding?: ValueEncoding): string {
  if (encoding === undefined) return JSON.stringify(describeFound(entry, face));
  const { key, value, expiresAtMs } = entry;
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  const { etag, contentType } = face;
  const told = { key, found: true, encoding, contentType, etag, expiresAtMs: expiresAtMs || null };
  if (encoding === "base64") return JSON.stringify({ ...told, value: bytes.toString("base64") });
  if (!isUtf8(value)) throw wrongEncoding(key, encoding);
  const text = bytes.toString();
  if (encoding === "utf8" && !isShortAsJson(value)) throw wrongEncoding(key, encoding);
  if (encoding === "utf8") return JSON.stringify({ ...told, value: text });
  if (!isJson(text)) throw wrongEncoding(key, encoding);
  return `${JSON.stringify(told).slice(0, -1)},"value":${text}}`;
}

function isJson(text: string): boolean {
  // A parser takes half a second for a mebibyte of brackets.
  if (isDeeperThan(text, SOCKET_DEPTH_MAX)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function wrongEncoding(key: string, encoding: ValueEncoding): MeridianError {
  const expected =
    encoding === "json"
      ? `JSON of at most ${SOCKET_DEPTH_MAX} levels`
      : "UTF-8 that JSON says in about twice its bytes";
  return new MeridianError(
    "INVALID_ARGUMENT",
    `Expected the value of \`${key}\` to be ${expected}, as \`encoding\` asks for, got other bytes; \`base64\` takes any`,
  );
}

function writtenJson({ entries: all, acknowledged }: WriteResult, more: object = {}): string {
  const [entry] = all;
  if (entry === undefined)
    throw new MeridianError("INTERNAL", "Expected a written entry, got none");
  return JSON.stringify({ ...factsOf(entry), ...more, acknowledged });
}

function setRequestOf({ writes }: RegionService, item: SocketItem): SetRequest {
  const { value: given, encoding = "utf8" } = item;
  const key = checkClientKey(item.key);
  const value = valueOf(given, encoding);
  writes.checkLength(value.byteLength);
  const { contentType = CONTENT_TYPES[encoding] } = item;
  checkContentType(contentType);
  const ttlMs = ttlMsOf(item.ttl);
  return { key, value, contentType, ...(ttlMs !== undefined && { ttlMs }) };
}

const CONTENT_TYPES: Readonly<Record<ValueEncoding, string>> = {
  utf8: TEXT_CONTENT_TYPE,
  base64: CONTENT_TYPE_DEFAULT,
  json: JSON_CONTENT_TYPE,
};

function valueOf(given: unknown, encoding: ValueEncoding): Uint8Array {
  if (encoding === "json") return new TextEncoder().encode(JSON.stringify(given));
  if (typeof given === "string") return bytesOf(given, encoding);
  throw new MeridianError(
    "INVALID_BODY",
    `Expected \`value\` to be text, as \`encoding\` is \`${encoding}\`, got ${given === null ? "null" : `a value of type ${typeof given}`}`,
  );
}

interface Ack {
  readonly ack?: string | number | undefined;
  readonly timeout?: string | number | undefined;
}

function ackOf({ ack, timeout }: Ack): AckRequest {
  return readAck(textOf(ack), textOf(timeout));
}

function textOf(value: string | number | undefined): string | undefined {
  return value === undefined ? undefined : String(value);
}

interface Conditions {
  readonly ifMatch?: string | undefined;
  readonly ifNoneMatch?: string | undefined;
}

function conditionsOf({ ifMatch, ifNoneMatch }: Conditions): Condition | undefined {
  return conditionOf((name) => (name === "if-match" ? ifMatch : ifNoneMatch));
}

interface Session {
  readonly position?: string | undefined;
  readonly waitMs?: number | undefined;
}

/** Lets a request in, as `RequestAdmission.admit` does. */
export function admit(
  { admission }: RegionService,
  { position, waitMs = WAIT_MS_DEFAULT }: Session,
  stale: boolean = false,
): Promise<void> {
  if (position === undefined) return admission.admit({ waitMs, stale });
  return admission.admit({ position: parsePosition(position), waitMs, stale });
}
