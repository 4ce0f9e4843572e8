/** `/touch` and `/pull`: changes of what a key holds, made where it is held. */
import type { JsonAnswer } from "@meridian/http";
import { checkClientKey, checkTtlMs, MeridianError, type Entry } from "@meridian/protocol";
import type { Described, found, written } from "@meridian/protocol/http-api";

import type { Life } from "../../service/requests.ts";
import { readTtlMs } from "./arguments.ts";
import { answerWritten, keyNotFound } from "./entry-routes.ts";
import { EntryFace } from "./entry-face.ts";
import type { RegionExchange } from "./exchange.ts";
import { describeFound, required } from "./short-routes.ts";

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
  const bytes = service.reads.find(key)?.record.entry.value.byteLength ?? 0;
  const result = await service.writes.touch(key, life, bytes, ack);
  if (result.entries.length === 0) throw keyNotFound(key);
  return answerWritten(exchange, result);
}

/** `POST /pull?key=` */
export async function pull(exchange: RegionExchange): Promise<JsonAnswer<Described<typeof found>>> {
  const query = exchange.query("key");
  const key = checkClientKey(required("key", query.key, "INVALID_KEY"));
  await exchange.admit();
  let held: Entry | undefined;
  // A value that waits to be known more widely could be lost with the answer, so nobody waits for that.
  await exchange.service.writes.delete(key, exchange.readAck(undefined, undefined), (live) => {
    if (live === undefined) throw keyNotFound(key);
    held = live;
  });
  if (held === undefined) throw keyNotFound(key);
  return exchange.json(200, describeFound(held, new EntryFace(held)), [
    "Cache-Control",
    "no-store",
  ]);
}

/** Reads how long a value is to live from now on. Throws `INVALID_TTL`. */
export function readLife(
  ttl: string | undefined,
  expiresAt: string | undefined,
  nowMs: number,
): Life {
  if ((ttl === undefined) === (expiresAt === undefined)) {
    const got = ttl === undefined ? "neither" : "both";
    throw new MeridianError("INVALID_TTL", `Expected \`ttl\` or \`expiresAt\`, got ${got}`);
  }
  if (expiresAt === undefined) return { ttlMs: readTtlMs(ttl) ?? 0 };
  if (expiresAt === "never") return { ttlMs: 0 };
  const atMs = /^\d{1,16}$/.test(expiresAt) ? Number(expiresAt) : NaN;
  checkTtlMs(atMs - nowMs, `expiresAt=${expiresAt.slice(0, 100)}`);
  return { ttlMs: 0, expiresAtMs: atMs };
}
