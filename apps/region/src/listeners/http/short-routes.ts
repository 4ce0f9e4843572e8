/** `/cache?key=`: for a shell or an address bar, where a key is easier as an option. */
import { isUtf8 } from "node:buffer";

import type { JsonAnswer } from "@meridian/http";
import { checkClientKey, MeridianError, type Entry } from "@meridian/protocol";
import type { Described, found as foundSchema, written } from "@meridian/protocol/http-api";

import type { SetRequest } from "../../service/requests.ts";
import { readFlag, readTtlMs } from "./arguments.ts";
import { answerWritten, keyNotFound } from "./entry-routes.ts";
import { faceOf, type EntryFace } from "./entry-face.ts";
import type { RegionExchange } from "./exchange.ts";

/** The content type of values that are given as text. */
export const TEXT_CONTENT_TYPE = "text/plain; charset=utf-8";

type FoundEntry = Described<typeof foundSchema>;

/** `GET /cache?key=[&stale=]` */
export async function getShort(exchange: RegionExchange): Promise<JsonAnswer<FoundEntry>> {
  const query = exchange.query("key", "stale");
  const key = checkClientKey(required("key", query.key, "INVALID_KEY"));
  await exchange.admit(readFlag("stale", query.stale));
  const found = exchange.service.reads.find(key);
  if (found === undefined) throw keyNotFound(key);
  const { record, tier } = found;
  const face = faceOf(record);
  return exchange.json(200, describeFound(record.entry, face), [
    "ETag",
    face.etag,
    "Meridian-Cache",
    tier,
    "Cache-Control",
    "no-cache",
    "Vary",
    "Meridian-Position",
  ]);
}

/** `POST /cache?key=&value=[&minutes=][&ttl=][&ack=][&timeout=]` */
export async function postShort(
  exchange: RegionExchange,
): Promise<JsonAnswer<Described<typeof written>>> {
  const query = exchange.query("key", "value", "minutes", "ttl", "ack", "timeout");
  const key = checkClientKey(required("key", query.key, "INVALID_KEY"));
  const value = new TextEncoder().encode(required("value", query.value, "INVALID_ARGUMENT"));
  const ttlMs = readTtlMs(query.ttl, query.minutes);
  const ack = exchange.readAck(query.ack, query.timeout);
  await exchange.admit();
  const request: SetRequest = {
    key,
    value,
    contentType: TEXT_CONTENT_TYPE,
    ...(ttlMs !== undefined && { ttlMs }),
  };
  return answerWritten(exchange, await exchange.service.writes.set([request], ack));
}

/** A live entry as JSON tells of it. The value is text where its bytes are UTF-8 that JSON can say shortly, else base64. */
export function describeFound(
  { key, value, expiresAtMs }: Entry,
  { contentType, etag }: EntryFace,
): FoundEntry {
  const encoding = isUtf8(value) && isShortAsJson(value) ? "utf8" : "base64";
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  return {
    key,
    found: true,
    value: bytes.toString(encoding),
    encoding,
    contentType,
    etag,
    expiresAtMs: expiresAtMs === 0 ? null : expiresAtMs,
  };
}

/** Whether a text in JSON takes no more than about twice its bytes, if it is long: most control characters take six. */
function isShortAsJson(value: Uint8Array): boolean {
  if (value.byteLength <= SHORT_BYTES) return true;
  let controls = 0;
  for (const byte of value) if (byte < 0x20 && !SHORT_ESCAPES.has(byte)) controls += 1;
  return 4 * controls <= value.byteLength;
}

const SHORT_BYTES = 1_024;

/** The control characters that take two bytes: `\b`, `\t`, `\n`, `\f` and `\r`. */
const SHORT_ESCAPES: ReadonlySet<number> = new Set([0x08, 0x09, 0x0a, 0x0c, 0x0d]);

/** An option of a query that must be there. Throws the code. */
export function required(
  name: string,
  text: string | undefined,
  code: "INVALID_KEY" | "INVALID_ARGUMENT",
): string {
  if (text !== undefined) return text;
  throw new MeridianError(code, `Expected the option \`${name}\`, got nothing`);
}
