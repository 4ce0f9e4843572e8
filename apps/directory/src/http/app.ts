/** The routes of a directory. */
import {
  answerMetrics,
  apiDocumentRoutes,
  backupRoutes,
  consoleRouteOf,
  consoleRoutes,
  decodeEscapes,
  digestQueryOf,
  entriesQueryOf,
  Exchange,
  failureOf,
  Gate,
  historyRoutes,
  PAGE_OPTIONS,
  routedApp,
  type Answer,
  type AnswerStyle,
  type ApiRoutes,
  type Authenticator,
  type GateOptions,
  type JsonAnswer,
  type RoutedApp,
  type RouteTable,
} from "@meridian/http";
import { DIRECTORY_API, type Described, type nearest } from "@meridian/protocol/http-api";

import { viewedKey, viewRouteOf } from "../views/view-paths.ts";
import type { DirectoryService } from "./directory-service.ts";
import { NEAREST_OPTIONS, nearestBody, readNearest } from "./nearest.ts";
import { forgottenBody, nodeBody, nodesBody } from "./nodes.ts";
import { statusOf } from "./status.ts";

const NODE_PREFIX = "/nodes/";
const NODE_PATH = "/nodes/{id}";
const NODE_NEWS_PATH = "/nodes/watch";

/** The headers that all answers of a directory share. Nobody may cache an answer: it is true only now. */
export function directoryStyle({ origins }: DirectoryService): AnswerStyle {
  return {
    origins,
    headers: (error) => (error === undefined ? ["Cache-Control", "no-store"] : []),
  };
}

/** What asks for tokens before requests are answered. */
export function directoryGate(
  authenticator: Authenticator,
  parts: Pick<GateOptions, "style" | "limit" | "limits" | "times" | "clock" | "logger">,
): Gate {
  const open = Object.keys(pageRoutes(undefined));
  return new Gate({ ...parts, authenticator, api: DIRECTORY_API, routeOf, keyOf: viewedKey, open });
}

/** Builds the app. */
export function createApp(service: DirectoryService): RoutedApp {
  const style = directoryStyle(service);
  return routedApp({
    routes: { ...routesOf(service), ...pageRoutes(service.consoleFolder) },
    routeOf,
    style,
    exchange: (carrier) => new Exchange(style, carrier),
    logger: service.logger,
  });
}

function routeOf(path: string): string {
  if (path === NODE_NEWS_PATH) return path;
  const view = viewRouteOf(path);
  if (view !== undefined) return view;
  return /^\/nodes\/[^/]+$/.test(path) ? NODE_PATH : (consoleRouteOf(path) ?? path);
}

/** What is for people: the documents of the API, and the console. */
function pageRoutes(folder: string | undefined): RouteTable<Exchange> {
  return {
    ...apiDocumentRoutes("directory"),
    ...consoleRoutes({ program: "directory", folder }),
  };
}

function routesOf(service: DirectoryService): ApiRoutes<typeof DIRECTORY_API, Exchange> {
  const plain = <const Body>(body: () => Body) => ({
    GET: (exchange: Exchange): JsonAnswer<Body> => {
      exchange.query();
      return exchange.json(200, body());
    },
  });
  return {
    "/nearest": { GET: (exchange) => getNearest(service, exchange) },
    "/nodes": plain(() => nodesBody(service)),
    [NODE_NEWS_PATH]: { GET: (exchange) => service.news.answer(exchange) },
    [NODE_PATH]: {
      GET: (exchange) => {
        exchange.query();
        return exchange.json(200, nodeBody(service, idOf(exchange)));
      },
      DELETE: async (exchange) => {
        exchange.query();
        return exchange.json(200, await forgottenBody(service, idOf(exchange)));
      },
    },
    "/conditions/doubt": {
      DELETE: async (exchange) => {
        exchange.query();
        return exchange.json(200, { ended: await service.acceptLoss() });
      },
    },
    ...service.views.routes(),
    "/status": plain(() => statusOf(service)),
    ...backupRoutes(() => service),
    "/trouble": { GET: (exchange) => service.troubles.answer(exchange) },
    ...historyRoutes(() => service.history),
    "/metrics": { GET: (exchange) => answerMetrics(exchange, service.metrics) },
    "/digest": {
      GET: async (exchange) => {
        const page = digestQueryOf(exchange.query(...PAGE_OPTIONS));
        return exchange.json(
          200,
          page === undefined ? await service.digest() : await service.digestPage(page),
        );
      },
    },
    "/entries": {
      GET: async (exchange) => {
        const page = entriesQueryOf(exchange.query(...PAGE_OPTIONS));
        return exchange.json(200, await service.entryPage(page));
      },
    },
    "/healthz": plain(() => ({ status: "ok" })),
    "/readyz": plain(() => {
      const reason = service.notReady();
      if (reason !== undefined) throw reason;
      return { status: "ready" };
    }),
  };
}

/** The answer to `GET /nearest`, without the app's request and response. Never throws. */
export function answerNearest(service: DirectoryService, exchange: Exchange): Answer {
  try {
    exchange.checkOrigin();
    return getNearest(service, exchange);
  } catch (cause) {
    return exchange.problem(failureOf(cause, service.logger));
  }
}

/** Throws while the directory catches up with others: until then it may not know which nodes are level. */
function getNearest(
  service: DirectoryService,
  exchange: Exchange,
): JsonAnswer<Described<typeof nearest>> {
  const reason = service.notReady();
  if (reason?.code === "DIRECTORY_SYNCING") throw reason;
  const question = readNearest(exchange.query(...NEAREST_OPTIONS));
  const body = nearestBody(service.registry, service.lag.maxMs, question);
  const unheardMs = service.unheardMs();
  const age = unheardMs === undefined ? [] : ["Age", String(Math.floor(unheardMs / 1_000))];
  return exchange.jsonText(body, age);
}

function idOf({ path }: Exchange): string {
  return decodeEscapes(path.slice(NODE_PREFIX.length));
}
