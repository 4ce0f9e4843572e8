/** The routes of a regional node. */
import {
  apiDocumentRoutes,
  routedApp,
  type AnswerStyle,
  type RoutedApp,
  type RouteTable,
} from "@meridian/http";
import type { Logger } from "@meridian/runtime";

import type { RegionService } from "../../service/region-service.ts";
import { batchGet, batchSet } from "./batch-routes.ts";
import { deleteEntry, getEntry, putEntry } from "./entry-routes.ts";
import { RegionExchange } from "./exchange.ts";
import { KEY_PREFIX } from "./key-path.ts";
import { getHealth, getKeys, getReadiness, getStatus, type NodeFacts } from "./node-routes.ts";
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

/** What a regional node's app is made of. */
export interface RegionAppOptions {
  readonly service: RegionService;
  readonly style: AnswerStyle;
  readonly facts: NodeFacts;
  readonly logger: Logger;
}

/** Builds the app. */
export function regionApp({ service, style, facts, logger }: RegionAppOptions): RoutedApp {
  return routedApp({
    routes: routesOf(facts),
    routeOf,
    style,
    exchange: (carrier) => new RegionExchange(service, style, carrier),
    logger,
  });
}

/** The routes by path and method, of which those of prefixes stand for all paths under them. */
function routesOf(facts: NodeFacts): RouteTable<RegionExchange> {
  return {
    "/cache": { GET: getShort, POST: postShort },
    [KEY_PREFIX]: { GET: getEntry, PUT: putEntry, DELETE: deleteEntry },
    "/batch/get": { POST: batchGet },
    "/batch/set": { POST: batchSet },
    "/keys": { GET: getKeys },
    "/status": { GET: (exchange) => getStatus(exchange, facts) },
    "/digest": { GET: (exchange) => getDigest(exchange, facts) },
    "/entries": { GET: (exchange) => getEntries(exchange, facts) },
    "/quarantine": { GET: getQuarantine },
    [quarantineRouteOf("/quarantine/1")]: { GET: getQuarantined, DELETE: dropQuarantined },
    [quarantineRouteOf("/quarantine/1/replay")]: { POST: replayQuarantined },
    ...apiDocumentRoutes("region"),
    "/healthz": { GET: getHealth },
    "/readyz": { GET: getReadiness },
  };
}

/** All keys share one route, and all quarantined entries do. */
function routeOf(path: string): string {
  if (path.startsWith(QUARANTINE_PREFIX)) return quarantineRouteOf(path);
  return path.startsWith(KEY_PREFIX) ? KEY_PREFIX : path;
}
