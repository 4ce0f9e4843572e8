/** Turns calls into HTTP requests: checks the arguments and encodes them. */
import type { AckLevel } from "@meridian/protocol";
import { checkClientKey, decodeUtf8, joinBytes, MeridianError, toBase64 } from "@meridian/protocol";
import type { batchGetBody, batchSetBody, Described } from "@meridian/protocol/http-api";
import type { SocketItem } from "@meridian/protocol/socket-api";

import type {
  CallOptions,
  EntriesOptions,
  ReadOptions,
  Scope,
  SetEntry,
  SetManyOptions,
  SetOptions,
  WriteOptions,
} from "./call-options.ts";
import { checkMs, readSpanMs, refuseUnknown } from "./options.ts";
import type { CallLimits, NodeRequest, SocketMessage } from "./run.ts";
import type { EncodedValue } from "./values.ts";

/** How many keys or entries one request may have. */
export const BATCH_MAX = 1000;

/** For how long a node waits for an acknowledgement where it is not said. */
const ACK_TIMEOUT_MS = 5_000;
/** The same of a write for the whole cluster, as nodes have it. */
const SCOPED_TIMEOUT_MS = 15_000;
const ACK_TIMEOUT_MS_MAX = 60_000;
const DEADLINE_MS_MAX = 600_000;
/** The largest body of `/batch/set`, in bytes, which every node accepts; a body with one larger value alone may exceed it. */
const BATCH_BYTES_MAX = 16 * 1024 * 1024 - 1024;
/** A larger body may take longer to send than an attempt's time limit. */
export const SLOW_BODY_BYTES: number = 64 * 1024;

/** The options of every call. */
const CALL: readonly string[] = ["signal", "deadlineMs"];
/** The options of every write. */
export const WRITE: readonly string[] = [...CALL, "ack", "timeout", "timeoutMs"];

const encoder = new TextEncoder();
const JSON_HEADERS = { "content-type": "application/json" };

/** The path of a key. Throws `INVALID_KEY`. */
function cachePath(key: unknown): string {
  return `/cache/${encodeURIComponent(checkedKey(key))}`;
}

/**
 * The request that asks whether a key has a value: the answer is 304, without the value, or 404. It is not a `HEAD`, because
 * Node.js's `fetch` closes the connection after each `HEAD`.
 */
export function presenceRequest(key: unknown): NodeRequest {
  const path = cachePath(key);
  const message = { type: "get", key: String(key), ifNoneMatch: "*" } as const;
  return { method: "GET", path, headers: { "if-none-match": "*" }, message };
}

/** The request that reads a value in the order of the whole cluster. It has no form for a WebSocket. */
export function scopedGetRequest(key: string): NodeRequest {
  return { method: "GET", path: `${cachePath(key)}?scope=cluster`, slow: true };
}

/** The request that reads a value. */
export function getRequest(key: string): NodeRequest {
  return { method: "GET", path: cachePath(key), message: { type: "get", key } };
}

/** A key that a path can carry. Throws `INVALID_KEY`. */
export function checkedKey(key: unknown): string {
  const checked = checkText("key", key, "INVALID_KEY");
  checkClientKey(checked);
  // In URLs these two are path segments with a special meaning, escaped or not.
  if (checked === "." || checked === "..") {
    throw new MeridianError(
      "INVALID_KEY",
      `Expected a key that a URL can carry, got \`${checked}\``,
    );
  }
  return checked;
}

/** The limits of a call that reads in a scope. */
export function scopedLimits(what: string, options: ReadOptions, deadlineMs: number): CallLimits {
  refuseUnknown(what, options, [...CALL, "scope"]);
  isScoped(options.scope);
  return limitsOf(options, deadlineMs);
}

/** The limits of a call that only reads. */
export function readLimits(what: string, options: CallOptions, deadlineMs: number): CallLimits {
  refuseUnknown(what, options, CALL);
  return limitsOf(options, deadlineMs);
}

/** A write and its limits. */
export interface Write {
  /** The keys that it changes. */
  readonly keys: readonly string[];
  readonly request: NodeRequest;
  readonly limits: CallLimits;
}

/** The options of `set`. */
const SET = [...WRITE, "ttl", "ttlMs", "contentType", "ifAbsent", "ifMatch", "scope"];

/** The request that sets one value. */
export function setRequest(
  key: string,
  { bytes, contentType }: EncodedValue,
  options: SetOptions,
  deadlineMs: number,
): Write {
  refuseUnknown("`set`", options, SET);
  const path = cachePath(key);
  const { query, limits, slow } = scopedTerms(options, deadlineMs);
  const ttlMs = readSpanMs("ttl", options.ttl, options.ttlMs);
  if (ttlMs !== undefined) query.set("ttl", `${ttlMs}ms`);
  const headers: Record<string, string> = { "content-type": contentType, ...condition(options) };
  if (options.ifAbsent === true) headers["if-none-match"] = "*";
  return {
    keys: [key],
    request: {
      method: "PUT",
      path: withQuery(path, query),
      headers,
      body: bytes,
      slow: slow || bytes.length > SLOW_BODY_BYTES,
      conditional: isConditional(options),
      message: socketMessage(query.has("scope") ? Infinity : bytes.length, {
        type: "set",
        key,
        value: bytes,
        contentType,
        ttl: query.get("ttl") ?? undefined,
        ...conditionTerms(headers),
        ...ackTerms(query),
      }),
    },
    limits,
  };
}

/** A larger request goes over HTTP, so that it delays no other one, in bytes of values. */
const MESSAGE_BYTES_MAX = 256 * 1024;

function socketMessage<Message extends SocketMessage>(
  bytes: number,
  message: Message,
): Message | undefined {
  return bytes > MESSAGE_BYTES_MAX ? undefined : message;
}

/** What the query of a write says of its acknowledgement, for a WebSocket. */
export function ackTerms(query: URLSearchParams): {
  readonly ack: string | undefined;
  readonly timeout: string | undefined;
} {
  return { ack: query.get("ack") ?? undefined, timeout: query.get("timeout") ?? undefined };
}

function conditionTerms(headers: Readonly<Record<string, string>>): {
  readonly ifMatch: string | undefined;
  readonly ifNoneMatch: string | undefined;
} {
  return { ifMatch: headers["if-match"], ifNoneMatch: headers["if-none-match"] };
}

/** The request that deletes one key. */
export function deleteRequest(key: string, options: WriteOptions, deadlineMs: number): Write {
  refuseUnknown("`delete`", options, [...WRITE, "ifMatch", "scope"]);
  const path = cachePath(key);
  const { query, limits, slow } = scopedTerms(options, deadlineMs);
  const headers = condition(options);
  const conditional = isConditional(options);
  const plain = { type: "delete", key, ...conditionTerms(headers), ...ackTerms(query) } as const;
  const message = query.has("scope") ? undefined : plain;
  return {
    keys: [key],
    request: {
      method: "DELETE",
      path: withQuery(path, query),
      headers,
      slow,
      conditional,
      message,
    },
    limits,
  };
}

/** A value to set among others, as it is stored. */
export interface EncodedEntry {
  readonly key: string;
  readonly value: EncodedValue;
  readonly ttlMs: number | undefined;
}

/** The time to live and the content type of an entry of `setMany`. Throws if a member other than the value is invalid. */
export function entryTerms(entry: SetEntry): {
  readonly ttlMs: number | undefined;
  readonly contentType: string | undefined;
} {
  refuseUnknown("an entry of `setMany`", entry, ["key", "value", "ttl", "ttlMs", "contentType"]);
  return {
    ttlMs: readSpanMs("ttl", entry.ttl, entry.ttlMs),
    contentType: checkContentType(entry.contentType),
  };
}

/** The requests that set values, each as many as fit into one. */
export function setManyRequests(
  entries: readonly EncodedEntry[],
  options: SetManyOptions,
  deadlineMs: number,
): readonly Write[] {
  refuseUnknown("`setMany`", options, WRITE);
  if (entries.length === 0) {
    throw new MeridianError("INVALID_ARGUMENT", "Expected at least one entry, got none");
  }
  const { query, limits, slow, timeoutMs } = writeTerms(options, deadlineMs);
  const { ack } = options;
  const given: Omit<Described<typeof batchSetBody>, "entries"> = {
    ...(ack !== undefined && { ack }),
    ...(timeoutMs !== undefined && { timeout: `${timeoutMs}ms` }),
  };
  const terms = JSON.stringify(given);
  const end = encoder.encode(`]${terms === "{}" ? "" : `,${terms.slice(1, -1)}`}}`);
  let next = 0;
  return chunksOf(entries).map((chunk) => {
    const some = entries.slice(next, next + chunk.length);
    const keys = some.map(({ key }) => key);
    next += chunk.length;
    const body = joinBytes([BATCH_START, ...chunk, end]);
    const message = socketMessage(body.length, {
      type: "setMany",
      entries: some.map(socketItem),
      ...ackTerms(query),
    });
    const request = {
      method: "POST",
      path: "/batch/set",
      headers: JSON_HEADERS,
      body,
      message,
    } as const;
    return { keys, request: { ...request, slow: slow || body.length > SLOW_BODY_BYTES }, limits };
  });
}

/** The entries as JSON, as many together as one body may have. */
function chunksOf(entries: readonly EncodedEntry[]): readonly (readonly Uint8Array[])[] {
  const chunks: Uint8Array[][] = [];
  let count = BATCH_MAX;
  let bytes = 0;
  for (const entry of entries) {
    const item = encoder.encode(`${count === 0 ? "" : ","}${JSON.stringify(batchEntry(entry))}`);
    if (count === BATCH_MAX || bytes + item.length > BATCH_BYTES_MAX) {
      chunks.push([]);
      count = 0;
      bytes = 0;
    }
    chunks.at(-1)?.push(count === 0 && item[0] === COMMA ? item.subarray(1) : item);
    count += 1;
    bytes += item.length;
  }
  return chunks;
}

type BatchEntry = Described<typeof batchSetBody>["entries"][number];

const BATCH_START = encoder.encode('{"entries":[');
const COMMA = 0x2c;

/** The request that reads up to `BATCH_MAX` keys. */
export function getManyRequest(keys: readonly string[]): NodeRequest {
  const body: Described<typeof batchGetBody> = { keys };
  return { ...jsonRequest("/batch/get", body), message: { type: "getMany", keys: [...keys] } };
}

/** The methods that list keys or entries. */
export type Listing = "`keys`" | "`entries`" | "`rawEntries`";

/** The request for one page of keys, or of entries with their values. */
export function keysRequest(
  what: Listing,
  options: EntriesOptions,
  after: string | undefined,
  values: boolean,
): NodeRequest {
  const known = [...CALL, "prefix", "after", "pageSize"];
  refuseUnknown(what, options, what === "`entries`" ? [...known, "values"] : known);
  const { prefix, pageSize = 100 } = options;
  if (!Number.isInteger(pageSize) || pageSize < 1 || pageSize > BATCH_MAX) {
    throw new MeridianError(
      "INVALID_ARGUMENT",
      `Expected \`pageSize\` as a whole number from 1 to ${BATCH_MAX}, got \`${String(pageSize)}\``,
    );
  }
  const query = new URLSearchParams({ limit: String(pageSize) });
  if (prefix !== undefined) query.set("prefix", checkText("prefix", prefix, "INVALID_ARGUMENT"));
  if (after !== undefined) query.set("after", checkText("after", after, "INVALID_ARGUMENT"));
  if (values) query.set("values", "true");
  return {
    method: "GET",
    path: withQuery("/keys", query),
    message: { type: "entries", prefix, after, limit: pageSize, values },
  };
}

function socketItem({ key, value, ttlMs }: EncodedEntry): SocketItem {
  const ttl = ttlMs === undefined ? undefined : `${ttlMs}ms`;
  return { key, value: value.bytes, contentType: value.contentType, ttl };
}

function batchEntry({ key, value, ttlMs }: EncodedEntry): BatchEntry {
  return {
    key,
    contentType: value.contentType,
    ...textOrBase64(value.bytes),
    ...(ttlMs === undefined ? {} : { ttl: `${ttlMs}ms` }),
  };
}

function textOrBase64(bytes: Uint8Array): Pick<BatchEntry, "value" | "encoding"> {
  try {
    return { value: decodeUtf8(bytes), encoding: "utf8" };
  } catch {
    return { value: toBase64(bytes), encoding: "base64" };
  }
}

interface WriteTerms {
  readonly query: URLSearchParams;
  readonly limits: CallLimits;
  readonly slow: boolean;
  /** How long to wait for the acknowledgement, if the caller says so. */
  readonly timeoutMs: number | undefined;
}

/** The query parameters and limits of a write. */
export function writeTerms(
  options: SetManyOptions,
  deadlineMs: number,
  usualMs: number = ACK_TIMEOUT_MS,
): WriteTerms {
  const { ack = "local" } = options;
  checkAck(ack);
  const timeoutMs = ackTimeoutMs(options);
  const slow = ack !== "local";
  const query = new URLSearchParams();
  if (options.ack !== undefined) query.set("ack", String(ack));
  if (timeoutMs !== undefined) query.set("timeout", `${timeoutMs}ms`);
  const longest = deadlineMs + (slow ? (timeoutMs ?? usualMs) : 0);
  return { query, limits: limitsOf(options, longest), slow, timeoutMs };
}

/** The same of a write that may be for the whole cluster. Throws `INVALID_ARGUMENT` for one that has no condition. */
function scopedTerms(options: SetOptions, deadlineMs: number): WriteTerms {
  const { ack, scope } = options;
  if (!isScoped(scope)) return writeTerms(options, deadlineMs);
  if (!isConditional(options)) {
    const said = "Expected `ifAbsent` or `ifMatch` with `scope`, got neither";
    throw new MeridianError("INVALID_ARGUMENT", said);
  }
  const terms = writeTerms({ ...options, ack: ack ?? "directory" }, deadlineMs, SCOPED_TIMEOUT_MS);
  terms.query.set("scope", "cluster");
  return terms;
}

/** Whether a call is for the whole cluster. Throws `INVALID_ARGUMENT` for another scope. */
export function isScoped(scope: Scope | undefined): boolean {
  if (scope === undefined || scope === "cluster") return scope !== undefined;
  const said = `Expected \`scope\` to be \`cluster\`, got \`${scope as string}\``;
  throw new MeridianError("INVALID_ARGUMENT", said);
}

function ackTimeoutMs(options: SetManyOptions): number | undefined {
  const timeoutMs = readSpanMs("timeout", options.timeout, options.timeoutMs);
  if (timeoutMs === undefined) return undefined;
  return checkMs("timeout", timeoutMs, timeoutMs, 1, ACK_TIMEOUT_MS_MAX);
}

function checkAck(ack: AckLevel): void {
  if (typeof ack === "number" ? Number.isSafeInteger(ack) && ack >= 1 : isNamedLevel(ack)) return;
  throw new MeridianError(
    "INVALID_ARGUMENT",
    `Expected \`ack\` to be \`local\`, \`directory\`, \`all\` or a whole number from 1, got \`${String(ack)}\``,
  );
}

function isNamedLevel(ack: string): boolean {
  return ack === "local" || ack === "directory" || ack === "all";
}

/** The limits of a call. */
export function limitsOf(options: CallOptions, deadlineMs: number): CallLimits {
  return {
    deadlineMs: checkMs("deadlineMs", options.deadlineMs, deadlineMs, 1, DEADLINE_MS_MAX),
    signal: options.signal,
  };
}

function isConditional({ ifMatch, ifAbsent }: SetOptions): boolean {
  return ifMatch !== undefined || ifAbsent === true;
}

function condition(options: SetOptions): Record<string, string> {
  const { ifMatch, ifAbsent } = options;
  if (ifMatch === undefined) return {};
  if (ifAbsent === true) {
    throw new MeridianError("INVALID_ARGUMENT", "Expected `ifAbsent` or `ifMatch`, got both");
  }
  if (typeof ifMatch === "string" && /^[!#-~]+$/.test(ifMatch))
    return { "if-match": `"${ifMatch}"` };
  throw new MeridianError(
    "INVALID_ARGUMENT",
    `Expected \`ifMatch\` to be an etag that Meridian gave, got \`${String(ifMatch)}\``,
  );
}

/** Throws `INVALID_ARGUMENT` unless the value is a content type. */
export function checkContentType(contentType: string | undefined): string | undefined {
  if (contentType === undefined) return undefined;
  if (typeof contentType === "string" && /^[!-~][ -~]{0,254}$/.test(contentType)) {
    return contentType;
  }
  throw new MeridianError(
    "INVALID_ARGUMENT",
    `Expected \`contentType\` to be 1 to 255 printable ASCII characters, got \`${String(contentType)}\``,
  );
}

/** Throws the code unless `value` is text. */
export function checkText(
  name: string,
  value: unknown,
  code: "INVALID_KEY" | "INVALID_ARGUMENT",
): string {
  if (typeof value === "string") return value;
  throw new MeridianError(code, `Expected \`${name}\` to be a string, got \`${String(value)}\``);
}

/** A request with a body of JSON. */
export function jsonRequest(path: string, body: unknown): NodeRequest {
  return {
    method: "POST",
    path,
    headers: JSON_HEADERS,
    body: encoder.encode(JSON.stringify(body)),
  };
}

/** A path with a query, if there is one. */
export function withQuery(path: string, query: URLSearchParams): string {
  const text = query.toString();
  return text === "" ? path : `${path}?${text}`;
}
