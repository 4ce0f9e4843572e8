/** The routes of a directory. Every path takes GET, and with it HEAD. */
import {
  decodeEscapes,
  digestQueryOf,
  entriesQueryOf,
  Exchange,
  failureOf,
  OriginPolicy,
  PAGE_OPTIONS,
  routedApp,
  type Answer,
  type AnswerStyle,
  type RoutedApp,
  type RouteTable,
} from "@meridian/http";
import { MeridianError } from "@meridian/protocol";
import type { MemberInfo } from "@meridian/replication";

import type { NodeRegistry } from "../node-registry.ts";
import type { DirectoryService } from "./directory-service.ts";
import { NEAREST_OPTIONS, nearestBody } from "./nearest.ts";
import { describe, statusOf } from "./status.ts";

const NODE_PREFIX = "/nodes/";

/** What all answers of a directory have in common: nobody keeps them, for they are true only now. */
export const DIRECTORY_STYLE: AnswerStyle = {
  origins: new OriginPolicy([], []),
  headers: () => ["Cache-Control", "no-store"],
};

/** Builds the app. */
export function createApp(service: DirectoryService): RoutedApp {
  return routedApp({
    routes: routesOf(service),
    routeOf: (path) => (/^\/nodes\/[^/]+$/.test(path) ? NODE_PREFIX : path),
    style: DIRECTORY_STYLE,
    exchange: (carrier) => new Exchange(DIRECTORY_STYLE, carrier),
    logger: service.logger,
  });
}

/** The routes by path and method; that of the prefix stands for all nodes. */
export function routesOf(service: DirectoryService): RouteTable<Exchange> {
  const { registry } = service;
  const plain = (body: () => object) => ({
    GET: (exchange: Exchange): Answer => {
      exchange.query();
      return exchange.json(200, body());
    },
  });
  return {
    "/nearest": { GET: (exchange) => getNearest(service, exchange) },
    "/nodes": plain(() => ({ nodes: registry.all().map(describe) })),
    [NODE_PREFIX]: {
      GET: (exchange) => {
        exchange.query();
        return exchange.json(200, describe(findNode(registry, exchange.path)));
      },
    },
    "/status": plain(() => statusOf(service)),
    "/digest": {
      GET: async (exchange) => {
        const page = digestQueryOf(exchange.query(...PAGE_OPTIONS));
        return exchange.json(
          200,
          await (page === undefined ? service.digest() : service.digestPage(page)),
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
    return getNearest(service, exchange);
  } catch (cause) {
    return exchange.problem(failureOf(cause, service.logger));
  }
}

/** A directory that is catching up with others may not know yet which nodes are level. */
function getNearest(service: DirectoryService, exchange: Exchange): Answer {
  const reason = service.notReady();
  if (reason?.code === "DIRECTORY_SYNCING") throw reason;
  const query = exchange.query(...NEAREST_OPTIONS);
  const body = nearestBody(service.registry, service.lagMaxMs, query);
  return exchange.text(200, "application/json", body);
}

function findNode(registry: NodeRegistry, path: string): MemberInfo {
  const id = decodeEscapes(path.slice(NODE_PREFIX.length));
  const member = registry.get(id);
  if (member !== undefined) return member;
  throw new MeridianError(
    "NODE_NOT_FOUND",
    `Expected the id of a registered node, got \`${id.slice(0, 100)}\``,
  );
}
