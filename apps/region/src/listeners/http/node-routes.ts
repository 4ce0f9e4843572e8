/** What the node tells of itself: its status, its health, what is wrong with it. */
import { complaintsOf } from "@meridian/doctor";
import type { JsonAnswer } from "@meridian/http";
import type {
  Described,
  health,
  readiness,
  regionStatus,
  trouble,
} from "@meridian/protocol/http-api";

import type { RegionExchange } from "./exchange.ts";

/** `GET /status` */
export function getStatus(exchange: RegionExchange): JsonAnswer<Described<typeof regionStatus>> {
  exchange.query();
  return exchange.json(200, exchange.node.report(), ["Cache-Control", "no-store"]);
}

/** `GET /trouble`: what this region knows of itself; a directory knows more. */
export function getTrouble(exchange: RegionExchange): JsonAnswer<Described<typeof trouble>> {
  exchange.query();
  const status = exchange.node.report();
  const { id, url, nowMs } = status;
  const listed = { id, url, status: status.status, goneSinceMs: null };
  const node = { id, url, listed, status, failure: undefined, expiresAtMs: undefined };
  const complaints = complaintsOf({ nowMs, directories: [], nodes: [node] });
  const body = { nowMs, directories: 0, nodes: 1, complaints };
  return exchange.json(200, body, ["Cache-Control", "no-store"]);
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
