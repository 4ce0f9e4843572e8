/** `/revocations`: revoked tokens. */
import { decodeEscapes, readWhole, type JsonAnswer } from "@meridian/http";
import type { Described, revocationPage, revoked } from "@meridian/protocol/http-api";
import { readTtlMs } from "../api/arguments.ts";
import type { RegionExchange } from "./exchange.ts";

/** The path under which revocations lie, by the ids of tokens. */
export const REVOCATION_PATH_PREFIX = "/revocations/";
export const REVOCATION_PATH = "/revocations/{id}";

/** `GET /revocations[?after=][&limit=]` */
export async function getRevocations(
  exchange: RegionExchange,
): Promise<JsonAnswer<Described<typeof revocationPage>>> {
  const { after = "", limit } = exchange.query("after", "limit");
  const most = readWhole("limit", limit, { min: 1, max: 1_000, fallback: 100 });
  const { reads, revocations } = exchange.service;
  const page = await reads.listRevocations(after, most);
  const body = {
    size: revocations.size,
    entries: page.revocations.map(describe),
    next: page.next,
  };
  return exchange.json(200, body, ["Cache-Control", "no-store"]);
}

/** `PUT /revocations/<id>[?ttl=][&ack=][&timeout=]` */
export async function putRevocation(
  exchange: RegionExchange,
): Promise<JsonAnswer<Described<typeof revoked>>> {
  const query = exchange.query("ttl", "ack", "timeout");
  const ttlMs = readTtlMs(query.ttl);
  const ack = exchange.readAck(query.ack, query.timeout);
  const id = decodeEscapes(exchange.path.slice(REVOCATION_PATH_PREFIX.length));
  exchange.service.revocations.checkRoom(id);
  await exchange.admit();
  const { expiresAtMs, acknowledged } = await exchange.service.writes.revoke(id, ttlMs ?? 0, ack);
  return exchange.json(200, { ...describe({ id, expiresAtMs }), acknowledged });
}

function describe({ id, expiresAtMs }: { readonly id: string; readonly expiresAtMs: number }) {
  return { id, expiresAtMs: expiresAtMs === 0 ? null : expiresAtMs };
}
