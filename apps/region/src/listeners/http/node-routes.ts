/** What the node tells of itself: its keys, its status, its health. */
import { readWhole, type JsonAnswer } from "@meridian/http";
import type {
  Described,
  health,
  keyPage,
  readiness,
  regionStatus,
} from "@meridian/protocol/http-api";

import { etagOf } from "../../service/cached-record.ts";
import type { RegionExchange } from "./exchange.ts";

/** `GET /keys[?prefix=][&after=][&limit=]` */
export async function getKeys(
  exchange: RegionExchange,
): Promise<JsonAnswer<Described<typeof keyPage>>> {
  const { prefix = "", after, limit } = exchange.query("prefix", "after", "limit");
  const bounds = { min: 1, max: 1_000, fallback: 100 };
  const query = {
    prefix,
    limit: readWhole("limit", limit, bounds),
    ...(after !== undefined && { after }),
  };
  await exchange.admit();
  const { entries, next } = await exchange.service.reads.list(query);
  const keys = entries.map(({ key, bytes, contentType, stamp, expiresAtMs }) => ({
    key,
    bytes,
    contentType,
    etag: etagOf({ stamp }),
    expiresAtMs: expiresAtMs === 0 ? null : expiresAtMs,
  }));
  return exchange.json(200, { keys, next }, ["Cache-Control", "no-store"]);
}

/** `GET /status` */
export function getStatus(exchange: RegionExchange): JsonAnswer<Described<typeof regionStatus>> {
  exchange.query();
  return exchange.json(200, exchange.node.report(), ["Cache-Control", "no-store"]);
}

/** `GET /healthz` */
export function getHealth(exchange: RegionExchange): JsonAnswer<Described<typeof health>> {
  exchange.query();
  return exchange.json(200, { status: "ok" }, ["Cache-Control", "no-store"]);
}

/** `GET /readyz` */
export function getReadiness(exchange: RegionExchange): JsonAnswer<Described<typeof readiness>> {
  exchange.query();
  exchange.service.admission.checkReady();
  return exchange.json(200, { status: "ready" }, ["Cache-Control", "no-store"]);
}
