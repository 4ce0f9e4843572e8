/** What the node tells of itself: its status, its health. */
import type { JsonAnswer } from "@meridian/http";
import type { Described, health, readiness, regionStatus } from "@meridian/protocol/http-api";

import type { RegionExchange } from "./exchange.ts";

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
