/** `/lease`: of all who find no fresh value of a key, who fills it. */
import type { JsonAnswer } from "@meridian/http";
import { checkClientKey } from "@meridian/protocol";
import type { Described, lease, released } from "@meridian/protocol/http-api";
import { readSpanMs } from "../api/arguments.ts";
import type { RegionExchange } from "./exchange.ts";
import { required } from "./short-routes.ts";

const TTL_MS_DEFAULT = 10_000;
const TTL_MS_MAX = 600_000;
const WAIT_MS_MAX = 10_000;

/** `POST /lease?key=[&ttl=][&wait=]` */
export async function acquireLease(
  exchange: RegionExchange,
): Promise<JsonAnswer<Described<typeof lease>>> {
  const query = exchange.query("key", "ttl", "wait");
  const key = checkClientKey(required("key", query.key, "INVALID_KEY"));
  const ttlMs = readSpanMs("ttl", query.ttl, { fallback: TTL_MS_DEFAULT, max: TTL_MS_MAX });
  const waitMs = readSpanMs("wait", query.wait, { fallback: 0, max: WAIT_MS_MAX });
  await exchange.admit();
  const id = await exchange.service.leases.acquire(key, ttlMs, waitMs);
  return exchange.json(200, { key, lease: id ?? null }, NO_STORE);
}

/** `DELETE /lease?key=&lease=` */
export function releaseLease(exchange: RegionExchange): JsonAnswer<Described<typeof released>> {
  const query = exchange.query("key", "lease");
  const key = checkClientKey(required("key", query.key, "INVALID_KEY"));
  const id = required("lease", query.lease, "INVALID_ARGUMENT");
  return exchange.json(200, { key, released: exchange.service.leases.release(key, id) }, NO_STORE);
}

const NO_STORE = ["Cache-Control", "no-store"];
