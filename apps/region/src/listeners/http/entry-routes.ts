/** `/cache/<key>`: values as they are. */
import type { Answer, JsonAnswer } from "@meridian/http";
import { MeridianError } from "@meridian/protocol";
import type { deleted, Described, written } from "@meridian/protocol/http-api";

import { PlainRecord } from "../../service/cached-record.ts";
import {
  checkContentType,
  factsOf,
  type AckRequest,
  type Found,
  type SetRequest,
  type WriteResult,
} from "../../service/requests.ts";
import { readAck, readFlag, readScope, readScopedTimeoutMs, readTtlMs } from "../api/arguments.ts";
import {
  conditionOf,
  noneMatchNames,
  scopedConditionOf,
  scopedMatchOf,
} from "../api/conditions.ts";
import { CONTENT_TYPE_DEFAULT, EntryFace } from "../api/entry-face.ts";
import { keyNotFound } from "../api/found-entry.ts";
import { entryHeaders } from "./answers.ts";
import type { RegionExchange } from "./exchange.ts";
import { keyOfPath } from "./key-path.ts";

/** `GET /cache/<key>[?stale=][&scope=][&timeout=]` */
export async function getEntry(exchange: RegionExchange): Promise<Answer> {
  const { stale, scope, timeout } = exchange.query("stale", "scope", "timeout");
  const key = keyOfPath(exchange.path);
  const isStale = readFlag("stale", stale);
  const isScoped = readScope(scope);
  if (isStale && isScoped) {
    const said =
      "Expected `stale` or `scope=cluster`, got both: what is read in the order of the cluster is never stale";
    throw new MeridianError("INVALID_ARGUMENT", said);
  }
  const { timeoutMs } = readAck(undefined, timeout, isScoped);
  await exchange.admit(isStale);
  const found = isScoped
    ? await findScoped(exchange, key, timeoutMs)
    : exchange.service.reads.find(key);
  if (found === undefined) throw keyNotFound(key);
  const { record, tier } = found;
  const face = new EntryFace(record);
  const headers = entryHeaders(record, exchange.service.time.nowMs(), tier);
  const held = exchange.header("if-none-match");
  if (held !== undefined && noneMatchNames(held, face.etag)) {
    return exchange.plain(304, null, headers);
  }
  return exchange.plain(200, record.entry().value, [
    "Content-Type",
    face.contentType,
    "Content-Length",
    face.length,
    ...headers,
  ]);
}

async function findScoped(
  { service }: RegionExchange,
  key: string,
  timeoutMs: number,
): Promise<Found | undefined> {
  const entry = await service.scoped.find(key, timeoutMs);
  return entry && { record: new PlainRecord(entry), tier: "store" };
}

/** `PUT /cache/<key>[?ttl=][&ack=][&timeout=][&scope=]` */
export async function putEntry(exchange: RegionExchange): Promise<WrittenAnswer> {
  const { service } = exchange;
  const query = exchange.query("ttl", "ack", "timeout", "scope");
  const key = keyOfPath(exchange.path);
  const ttlMs = readTtlMs(query.ttl);
  const isScoped = readScope(query.scope);
  const ack = exchange.readAck(query.ack, query.timeout, isScoped);
  const contentType = contentTypeOf(exchange) ?? CONTENT_TYPE_DEFAULT;
  if (isScoped) {
    const life = ttlMs !== undefined && { ttlMs };
    return putScoped(exchange, { key, contentType, ...life }, ack);
  }
  // Nothing is awaited that is there: each await of a write costs about as much as reading its head.
  const admitted = exchange.admit();
  if (admitted !== undefined) await admitted;
  const body = exchange.body(service.writes.valueBytesMax);
  const value = body instanceof Uint8Array ? body : await body;
  const request: SetRequest = { key, value, contentType, ...(ttlMs !== undefined && { ttlMs }) };
  return answerWritten(
    exchange,
    await service.writes.set([request], ack, conditionOf(exchange.header)),
  );
}

async function putScoped(
  exchange: RegionExchange,
  request: Omit<SetRequest, "value">,
  ack: AckRequest,
): Promise<WrittenAnswer> {
  const { scoped, writes } = exchange.service;
  const ifStamp = scopedConditionOf(exchange.header);
  const needs = { timeoutMs: readScopedTimeoutMs(ack), deadlineMs: ack.deadlineMs };
  scoped.checkLength(Number(exchange.header("content-length") ?? 0));
  await exchange.admit();
  const value = await exchange.body(writes.valueBytesMax);
  return answerWritten(exchange, await scoped.set({ ...request, value }, ifStamp, needs));
}

/** `DELETE /cache/<key>[?ack=][&timeout=][&scope=]` */
export async function deleteEntry(
  exchange: RegionExchange,
): Promise<JsonAnswer<Described<typeof deleted>>> {
  const { service } = exchange;
  const query = exchange.query("ack", "timeout", "scope");
  const key = keyOfPath(exchange.path);
  const isScoped = readScope(query.scope);
  const ack = exchange.readAck(query.ack, query.timeout, isScoped);
  if (isScoped) {
    const ifStamp = scopedMatchOf(exchange.header);
    const needs = { timeoutMs: readScopedTimeoutMs(ack), deadlineMs: ack.deadlineMs };
    await exchange.admit();
    const written = await service.scoped.delete(key, ifStamp, needs);
    return answerWritten(exchange, written, { deleted: true });
  }
  await exchange.admit();
  const result = await service.writes.delete(key, ack, conditionOf(exchange.header));
  return answerWritten(exchange, result, { deleted: result.deleted });
}

type WrittenAnswer = JsonAnswer<Described<typeof written>>;

/** The answer to a write of one key, with what else there is to say of it. */
export function answerWritten<Facts extends object = object>(
  exchange: RegionExchange,
  { entries, acknowledged }: WriteResult,
  facts?: Facts,
): JsonAnswer<Described<typeof written> & Facts> {
  const [entry] = entries;
  if (entry === undefined)
    throw new MeridianError("INTERNAL", "Expected a written entry, got none");
  const told = factsOf(entry);
  const body = { ...told, ...(facts as Facts), acknowledged };
  return exchange.json(200, body, ["ETag", told.etag]);
}

/**
 * The content type of the value that a body is, as the request says it. Throws `INVALID_ARGUMENT` for one that is none,
 * `INVALID_BODY` for a body that is not the value itself, and `VALUE_TOO_LARGE`.
 */
export function contentTypeOf(exchange: RegionExchange): string | undefined {
  const contentType = exchange.header("content-type");
  if (contentType !== undefined) checkContentType(contentType);
  checkWhole(exchange);
  exchange.service.writes.checkLength(Number(exchange.header("content-length") ?? 0));
  return contentType;
}

/** Throws `INVALID_BODY` for a body that is not the value itself. */
function checkWhole(exchange: RegionExchange): void {
  const encoding = exchange.header("content-encoding");
  if (encoding !== undefined && encoding !== "identity") {
    throw new MeridianError(
      "INVALID_BODY",
      `Expected the value itself, got \`Content-Encoding: ${encoding.slice(0, 100)}\``,
    );
  }
  if (exchange.header("content-range") !== undefined) {
    throw new MeridianError("INVALID_BODY", "Expected a whole value, got a `Content-Range` of one");
  }
}
