/** The routes of a regional node, as a hono app. */
import { asMeridianError, type MeridianError } from "@meridian/protocol";
import type { Logger } from "@meridian/runtime";
import { Hono } from "hono";

import type { RegionService } from "../region-service.ts";
import { commonHeaders, isReadable, problemAnswer, responseOf, type Answer } from "./answers.ts";
import { batchGet, batchSet } from "./batch-routes.ts";
import { deleteEntry, getEntry, putEntry } from "./entry-routes.ts";
import { carrierOfContext, Exchange, type AppEnv } from "./exchange.ts";
import {
  getHealth,
  getKeys,
  getReadiness,
  getStatus,
  routeError,
  type NodeFacts,
} from "./node-routes.ts";
import type { OriginPolicy } from "./origins.ts";
import { getDigest, getEntries } from "./page-routes.ts";
import { preflightHeaders } from "./preflight.ts";
import {
  dropQuarantined,
  getQuarantine,
  getQuarantined,
  QUARANTINE_PREFIX,
  quarantineRouteOf,
  replayQuarantined,
} from "./quarantine-routes.ts";
import { getShort, postShort } from "./short-routes.ts";
import { KEY_PREFIX, targetOf } from "./target.ts";

/** What a regional node's app is made of. */
export interface RegionAppOptions {
  readonly service: RegionService;
  readonly origins: OriginPolicy;
  readonly facts: NodeFacts;
  readonly logger: Logger;
}

/** A regional node's app. */
export type RegionApp = Hono<AppEnv>;

/** The path whose POST reads: its body only says what. */
const READING_POST = "/batch/get";

type Route = (exchange: Exchange) => Answer | Promise<Answer>;
type Routes = Readonly<Record<string, Readonly<Record<string, Route>>>>;

/** Builds the app. */
export function regionApp(options: RegionAppOptions): RegionApp {
  const { service, origins, logger } = options;
  const routes = routesOf(options.facts);
  const app: RegionApp = new Hono<AppEnv>({ getPath: (request) => routeOf(request.url) });
  for (const [path, methods] of Object.entries(routes)) {
    for (const [method, route] of Object.entries(methods)) {
      app.on(method, path, async (context) =>
        responseOf(await route(new Exchange(service, origins, carrierOfContext(context)))),
      );
    }
  }
  app.notFound(({ req }) => {
    const { path } = targetOf(req.url);
    const route = routeOf(req.url);
    const allowed = methodsAt(routes, route);
    const origin = req.header("origin");
    if (req.method === "OPTIONS" && allowed !== undefined) {
      const isOpen = route === READING_POST || (origin !== undefined && origins.allows(origin));
      const headers = [...preflightHeaders(allowed, isOpen), ...commonHeaders(service, true)];
      return responseOf({ status: 204, headers, body: null });
    }
    const error = routeError(req.method, path, allowed);
    const headers = allowed === undefined ? [] : ["Allow", allowed.join(", ")];
    return responseOf(problemAnswer(service, isReadable(req.method, origin), error, headers));
  });
  app.onError((cause, { req }) =>
    responseOf(
      problemAnswer(
        service,
        isReadable(req.method, req.header("origin")),
        failureOf(cause, logger),
      ),
    ),
  );
  return app;
}

/** What a request failed with; what nobody foresaw is told to the operator. */
export function failureOf(cause: unknown, logger: Logger): MeridianError {
  const error = asMeridianError(cause);
  if (error.code === "INTERNAL") logger.error("A request failed", { error: error.message });
  return error;
}

function routesOf(facts: NodeFacts): Routes {
  return {
    "/cache": { GET: getShort, POST: postShort },
    [KEY_PREFIX]: { GET: getEntry, PUT: putEntry, DELETE: deleteEntry },
    [READING_POST]: { POST: batchGet },
    "/batch/set": { POST: batchSet },
    "/keys": { GET: getKeys },
    "/status": { GET: (exchange) => getStatus(exchange, facts) },
    "/digest": { GET: (exchange) => getDigest(exchange, facts) },
    "/entries": { GET: (exchange) => getEntries(exchange, facts) },
    "/quarantine": { GET: getQuarantine },
    [quarantineRouteOf("/quarantine/1")]: { GET: getQuarantined, DELETE: dropQuarantined },
    [quarantineRouteOf("/quarantine/1/replay")]: { POST: replayQuarantined },
    "/healthz": { GET: getHealth },
    "/readyz": { GET: getReadiness },
  };
}

/** What a URL is routed by: its path, still encoded; all keys share one route, and all quarantined entries do. */
function routeOf(url: string): string {
  const { path } = targetOf(url);
  if (path.startsWith(QUARANTINE_PREFIX)) return quarantineRouteOf(path);
  return path.startsWith(KEY_PREFIX) ? KEY_PREFIX : path;
}

function methodsAt(routes: Routes, route: string): readonly string[] | undefined {
  const methods = routes[route];
  if (methods === undefined) return undefined;
  const names = Object.keys(methods);
  return names.includes("GET") ? ["GET", "HEAD", ...names.filter((name) => name !== "GET")] : names;
}
