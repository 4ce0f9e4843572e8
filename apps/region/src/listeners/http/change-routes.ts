/** `/touch` and `/pull`: changes of what a key holds, made where it is held. */
import type { JsonAnswer } from "@meridian/http";
import { checkClientKey } from "@meridian/protocol";
import type { Described, found, written } from "@meridian/protocol/http-api";

import { readLife } from "../api/arguments.ts";
import { faceOf } from "../api/entry-face.ts";
import { describeFound, keyNotFound } from "../api/found-entry.ts";
import { answerWritten } from "./entry-routes.ts";
import type { RegionExchange } from "./exchange.ts";
import { required } from "./short-routes.ts";

/** `POST /touch?key=[&ttl=][&expiresAt=][&ack=][&timeout=]` */
export async function touch(
  exchange: RegionExchange,
): Promise<JsonAnswer<Described<typeof written>>> {
  const { service } = exchange;
  const query = exchange.query("key", "ttl", "expiresAt", "ack", "timeout");
  const key = checkClientKey(required("key", query.key, "INVALID_KEY"));
  const life = readLife(query.ttl, query.expiresAt, service.time.nowMs());
  const ack = exchange.readAck(query.ack, query.timeout);
  await exchange.admit();
  const bytes = service.reads.find(key)?.record.bytes ?? 0;
  const result = await service.writes.touch(key, life, bytes, ack);
  if (result.entries.length === 0) throw keyNotFound(key);
  return answerWritten(exchange, result);
}

/** `POST /pull?key=` */
export async function pull(exchange: RegionExchange): Promise<JsonAnswer<Described<typeof found>>> {
  const query = exchange.query("key");
  const key = checkClientKey(required("key", query.key, "INVALID_KEY"));
  await exchange.admit();
  // The value leaves the store before the answer is sent. Waiting for a wider acknowledgement would make it more likely that both are lost.
  const ack = exchange.readAck(undefined, undefined);
  const held = await exchange.service.writes.pull(key, ack);
  if (held === undefined) throw keyNotFound(key);
  return exchange.json(200, describeFound(held, faceOf(held)), ["Cache-Control", "no-store"]);
}
