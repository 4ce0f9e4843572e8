/** `/cache?key=`: for a shell or an address bar, where a key is easier as an option. */
import type { JsonAnswer } from "@meridian/http";
import { checkClientKey, MeridianError } from "@meridian/protocol";
import type { Described, written } from "@meridian/protocol/http-api";

import type { SetRequest } from "../../service/requests.ts";
import { readFlag, readTtlMs } from "../api/arguments.ts";
import { faceOf } from "../api/entry-face.ts";
import { describeFound, keyNotFound, type FoundEntry } from "../api/found-entry.ts";
import { TEXT_CONTENT_TYPE } from "../api/value-text.ts";
import { answerWritten } from "./entry-routes.ts";
import type { RegionExchange } from "./exchange.ts";

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

/** An option of a query that must be there. Throws the code. */
export function required(
  name: string,
  text: string | undefined,
  code: "INVALID_KEY" | "INVALID_ARGUMENT",
): string {
  if (text !== undefined) return text;
  throw new MeridianError(code, `Expected the option \`${name}\`, got nothing`);
}
