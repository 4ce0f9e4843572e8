/** The routes of a regional node. */
import {
  answerMetrics,
  apiDocumentRoutes,
  routedApp,
  type RoutedApp,
  type RouteTable,
} from "@meridian/http";
import type { Logger } from "@meridian/runtime";

import { batchGet, batchSet } from "./batch-routes.ts";
import { deleteEntry, getEntry, putEntry } from "./entry-routes.ts";
import { RegionExchange, type HttpNode } from "./exchange.ts";
import { KEY_PREFIX } from "./key-path.ts";
import { getHealth, getKeys, getReadiness, getStatus } from "./node-routes.ts";
import { getDigest, getEntries } from "./page-routes.ts";
import {
  dropQuarantined,
  getQuarantine,
  getQuarantined,
  QUARANTINE_PREFIX,
  quarantineRouteOf,
  replayQuarantined,
} from "./quarantine-routes.ts";
import { getShort, postShort } from "./short-routes.ts";

/** Builds the app. */
export function regionApp(node: HttpNode, logger: Logger): RoutedApp {
  return routedApp({
    routes: ROUTES,
    routeOf,
    style: node.style,
    exchange: (carrier) => new RegionExchange(node, carrier),
    logger,
  });
}

/** The routes by path and method, of which those of prefixes stand for all paths under them. */
const ROUTES: RouteTable<RegionExchange> = {
  "/cache": { GET: getShort, POST: postShort },
  [KEY_PREFIX]: { GET: getEntry, PUT: putEntry, DELETE: deleteEntry },
  "/batch/get": { POST: batchGet },
  "/batch/set": { POST: batchSet },
  "/keys": { GET: getKeys },
  "/status": { GET: getStatus },
  "/metrics": { GET: (exchange) => answerMetrics(exchange, exchange.node.metrics) },
  "/digest": { GET: getDigest },
  "/entries": { GET: getEntries },
  "/quarantine": { GET: getQuarantine },
  [quarantineRouteOf("/quarantine/1")]: { GET: getQuarantined, DELETE: dropQuarantined },
  [quarantineRouteOf("/quarantine/1/replay")]: { POST: replayQuarantined },
  ...apiDocumentRoutes("region"),
  "/healthz": { GET: getHealth },
  "/readyz": { GET: getReadiness },
};

/** All keys share one route, and all quarantined entries do. */
function routeOf(path: string): string {
  if (path.startsWith(QUARANTINE_PREFIX)) return quarantineRouteOf(path);
  return path.startsWith(KEY_PREFIX) ? KEY_PREFIX : path;
}
