/** `/cache?key=`: for a shell or an address bar, where a key is easier as an option. */
import type { JsonAnswer } from "@meridian/http";
import { checkClientKey, MeridianError } from "@meridian/protocol";
import type { Described, saved } from "@meridian/protocol/http-api";

import type { Life } from "../../service/requests.ts";
import { readFlag, readTtlMs, readUntil } from "../api/arguments.ts";
import { EntryFace } from "../api/entry-face.ts";
import { describeFound, keyNotFound, textOrBase64, type FoundEntry } from "../api/found-entry.ts";
import { TEXT_CONTENT_TYPE } from "../api/value-text.ts";
import { answerWritten, contentTypeOf } from "./entry-routes.ts";
import type { RegionExchange } from "./exchange.ts";

/** The content type of forms. */
const FORM_TYPE = "application/x-www-form-urlencoded";

/** `GET /cache?key=[&stale=]` */
export async function getShort(exchange: RegionExchange): Promise<JsonAnswer<FoundEntry>> {
  const query = exchange.query("key", "stale");
  const key = checkClientKey(required("key", query.key, "INVALID_KEY"));
  await exchange.admit(readFlag("stale", query.stale));
  const found = exchange.service.reads.find(key);
  if (found === undefined) throw keyNotFound(key);
  const { record, tier } = found;
  const face = new EntryFace(record);
  return exchange.json(200, describeFound(record.entry(), face), [
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

/** `POST /cache?key=[&value=][&ttl=][&minutes=][&due=][&ack=][&timeout=]`; without `value`, the body is the value. */
export async function postShort(
  exchange: RegionExchange,
): Promise<JsonAnswer<Described<typeof saved>>> {
  const { writes, time } = exchange.service;
  const query = exchange.query("key", "value", "minutes", "ttl", "due", "ack", "timeout");
  const key = checkClientKey(required("key", query.key, "INVALID_KEY"));
  const life = readShortLife(query, time.nowMs());
  const ack = exchange.readAck(query.ack, query.timeout);
  const hasBody =
    Number(exchange.header("content-length") ?? 0) > 0 ||
    exchange.header("transfer-encoding") !== undefined;
  if ((query.value === undefined) !== hasBody) {
    const said = `Expected \`value\` or a body, got ${hasBody ? "both" : "neither"}`;
    throw new MeridianError("INVALID_ARGUMENT", said);
  }
  const contentType = hasBody ? bodyType(exchange) : TEXT_CONTENT_TYPE;
  await exchange.admit();
  const value = hasBody
    ? await exchange.body(writes.valueBytesMax)
    : new TextEncoder().encode(query.value);
  const result = await writes.set([{ key, value, contentType, ...life }], ack);
  return answerWritten(exchange, result, {
    ...textOrBase64(value),
    contentType,
  });
}

/** The content type of a body; text where the request says nothing, or what `curl -d` says by itself. */
function bodyType(exchange: RegionExchange): string {
  const type = contentTypeOf(exchange) ?? FORM_TYPE;
  return type.startsWith(FORM_TYPE) ? TEXT_CONTENT_TYPE : type;
}

/** How long a value is to live, if the request says it in one of three ways. Throws `INVALID_TTL` and `INVALID_ARGUMENT`. */
function readShortLife(
  { ttl, minutes, due }: Readonly<Partial<Record<"ttl" | "minutes" | "due", string>>>,
  nowMs: number,
): Partial<Life> {
  if (due === undefined) {
    const ttlMs = readTtlMs(ttl, minutes);
    return ttlMs === undefined ? {} : { ttlMs };
  }
  if (ttl === undefined && minutes === undefined) return readUntil("due", due, nowMs);
  throw new MeridianError("INVALID_ARGUMENT", "Expected `ttl`, `minutes` or `due`, got several");
}

/** An option of a query that must be there. Throws the code. */
export function required(
  name: string,
  text: string | undefined,
  code: "INVALID_KEY" | "INVALID_ARGUMENT",
): string {
  if (text !== undefined) return text;
  throw new MeridianError(code, `Expected the option \`${name}\`, got nothing`);
}
