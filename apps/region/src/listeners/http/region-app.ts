/** The routes of a regional node. */
import {
  answerMetrics,
  apiDocumentRoutes,
  backupRoutes,
  consoleRouteOf,
  consoleRoutes,
  Gate,
  historyRoutes,
  routedApp,
  type ApiRoutes,
  type Authenticator,
  type GateOptions,
  type Exchange,
  type RoutedApp,
  type RouteTable,
} from "@meridian/http";
import { REGION_API } from "@meridian/protocol/http-api";
import type { Logger } from "@meridian/runtime";

import { batchDelete, batchGet, batchHas, batchSet } from "./batch-routes.ts";
import { pull, touch } from "./change-routes.ts";
import { deleteEntry, getEntry, putEntry } from "./entry-routes.ts";
import { directoryViewRouteOf, directoryViewRoutes } from "./directory-view.ts";
import { RegionExchange, type HttpNode } from "./exchange.ts";
import { KEY_PATH, KEY_PREFIX } from "./key-path.ts";
import { acquireLease, releaseLease } from "./lease-routes.ts";
import { getKeys } from "./listing-routes.ts";
import { getHealth, getReadiness, getStatus, getTrouble } from "./node-routes.ts";
import { getDigest, getEntries } from "./page-routes.ts";
import {
  dropQuarantined,
  getQuarantine,
  getQuarantined,
  QUARANTINE_PREFIX,
  quarantineRouteOf,
  replayQuarantined,
} from "./quarantine-routes.ts";
import {
  getRevocations,
  putRevocation,
  REVOCATION_PATH,
  REVOCATION_PATH_PREFIX,
} from "./revocation-routes.ts";
import { getEntryReport } from "./report-routes.ts";
import { getShort, postShort } from "./short-routes.ts";
import type { Tickets } from "./tickets.ts";
import { makeTicket, watch, WATCH_PATH } from "./watch-routes.ts";

/** Builds the app. */
export function regionApp(node: HttpNode, logger: Logger): RoutedApp {
  return routedApp({
    routes: { ...ROUTES, ...pageRoutes(node.consoleFolder) },
    routeOf,
    style: node.style,
    exchange: (carrier) => new RegionExchange(node, carrier),
    logger,
  });
}

const ROUTES: ApiRoutes<typeof REGION_API, RegionExchange> = {
  "/cache": { GET: getShort, POST: postShort },
  [KEY_PATH]: { GET: getEntry, PUT: putEntry, DELETE: deleteEntry },
  "/batch/get": { POST: batchGet },
  "/batch/set": { POST: batchSet },
  "/batch/has": { POST: batchHas },
  "/batch/delete": { POST: batchDelete },
  "/touch": { POST: touch },
  "/pull": { POST: pull },
  "/lease": { POST: acquireLease, DELETE: releaseLease },
  "/keys": { GET: getKeys },
  "/entry": { GET: getEntryReport },
  [WATCH_PATH]: { GET: watch },
  "/watch/tickets": { POST: makeTicket },
  "/status": { GET: getStatus },
  ...backupRoutes((exchange: RegionExchange) => exchange.node),
  "/trouble": { GET: getTrouble },
  ...directoryViewRoutes(),
  ...historyRoutes((exchange: RegionExchange) => exchange.node.history),
  "/metrics": { GET: (exchange) => answerMetrics(exchange, exchange.node.metrics) },
  "/digest": { GET: getDigest },
  "/entries": { GET: getEntries },
  "/quarantine": { GET: getQuarantine },
  "/quarantine/{id}": { GET: getQuarantined, DELETE: dropQuarantined },
  "/quarantine/{id}/replay": { POST: replayQuarantined },
  "/revocations": { GET: getRevocations },
  [REVOCATION_PATH]: { PUT: putRevocation },
  "/healthz": { GET: getHealth },
  "/readyz": { GET: getReadiness },
};

/** What asks for tokens before requests are answered. */
export function regionGate(
  authenticator: Authenticator,
  {
    tickets,
    ...parts
  }: Pick<GateOptions, "style" | "limit" | "limits" | "times" | "clock" | "logger"> & {
    readonly tickets: Tickets;
  },
): Gate {
  const open = Object.keys(pageRoutes(undefined));
  return new Gate({
    ...parts,
    authenticator,
    api: REGION_API,
    routeOf,
    keyOf: (path) => path.slice(KEY_PREFIX.length),
    takeTicket: (path, ticket) => (path === WATCH_PATH ? tickets.take(ticket) : undefined),
    open,
  });
}

/** All keys share one route, all quarantined entries do, and all revocations. */
function routeOf(path: string): string {
  if (path.startsWith(QUARANTINE_PREFIX)) return quarantineRouteOf(path);
  if (path.startsWith(REVOCATION_PATH_PREFIX)) return REVOCATION_PATH;
  if (path.startsWith(KEY_PREFIX)) return KEY_PATH;
  return directoryViewRouteOf(path) ?? consoleRouteOf(path) ?? path;
}

/** What is for people: the documents of the API, and the console. */
function pageRoutes(folder: string | undefined): RouteTable<Exchange> {
  return { ...apiDocumentRoutes("region"), ...consoleRoutes({ program: "region", folder }) };
}
