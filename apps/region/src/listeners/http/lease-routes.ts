/** `/lease`: decides which of the clients that find no fresh value of a key loads it. */
import type { JsonAnswer } from "@meridian/http";
import { checkClientKey } from "@meridian/protocol";
import type { Described, lease, released } from "@meridian/protocol/http-api";
import { readLease } from "../api/arguments.ts";
import type { RegionExchange } from "./exchange.ts";
import { required } from "./short-routes.ts";

/** `POST /lease?key=[&ttl=][&wait=]` */
export async function acquireLease(
  exchange: RegionExchange,
): Promise<JsonAnswer<Described<typeof lease>>> {
  const query = exchange.query("key", "ttl", "wait");
  const key = checkClientKey(required("key", query.key, "INVALID_KEY"));
  const { ttlMs, waitMs } = readLease(query.ttl, query.wait);
  const deadlineMs = exchange.readDeadline();
  await exchange.admit();
  const { leases, writes } = exchange.service;
  const checkWanted = (): void => writes.checkDeadline(deadlineMs);
  const id = await leases.acquire(key, { ttlMs, waitMs, checkWanted });
  return exchange.json(200, { key, lease: id ?? null }, NO_STORE);
}

/** `DELETE /lease?key=&lease=` */
export function releaseLease(exchange: RegionExchange): JsonAnswer<Described<typeof released>> {
  const query = exchange.query("key", "lease");
  const key = checkClientKey(required("key", query.key, "INVALID_KEY"));
  const id = required("lease", query.lease, "INVALID_ARGUMENT");
  exchange.readDeadline();
  return exchange.json(200, { key, released: exchange.service.leases.release(key, id) }, NO_STORE);
}

const NO_STORE = ["Cache-Control", "no-store"];
