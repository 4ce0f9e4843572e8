/**
 * A table of routes as a hono app. What no route has to think of is the same for all programs: paths that are not there,
 * methods that a path does not take, preflights, and the problem documents of what routes throw.
 */
import type { ServerResponse } from "node:http";

import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import { asMeridianError, MeridianError } from "@meridian/protocol";
import type { Logger } from "@meridian/runtime";
import { Hono, type Context } from "hono";

import { responseOf, send, type Answer } from "./answer.ts";
import {
  carrierOfContext,
  Exchange,
  type AnswerStyle,
  type AppEnv,
  type Carrier,
} from "./exchange.ts";
import { preflightHeaders } from "./preflight.ts";
import { targetOf } from "./target.ts";

/** What a program does for the requests of one path and method. */
export type Route<E extends Exchange> = (exchange: E) => Answer | Promise<Answer>;

/** The routes of a program by path and method. A path may be the prefix of many, as `routeOf` says. */
export type RouteTable<E extends Exchange> = Readonly<
  Record<string, Readonly<Record<string, Route<E>>>>
>;

/** What an app is made of. */
export interface RoutedAppOptions<E extends Exchange> {
  readonly routes: RouteTable<E>;
  /** The path of the table under which a request's path falls, still percent-encoded. Default: the same. */
  readonly routeOf?: (path: string) => string;
  /** Paths whose POST reads: its body only says what. */
  readonly readingPosts?: readonly string[];
  readonly style: AnswerStyle;
  readonly exchange: (carrier: Carrier) => E;
  readonly logger: Logger;
}

/** An app of routes. */
export type RoutedApp = Hono<AppEnv>;

/** Builds the app. */
export function routedApp<E extends Exchange>(options: RoutedAppOptions<E>): RoutedApp {
  const { routes, style, exchange, logger, readingPosts = [], routeOf = same } = options;
  const app: RoutedApp = new Hono<AppEnv>({
    // The path as it was sent: a URL parser would have taken dot segments out of that of the request.
    getPath: (request, given) => routeOf(targetOf(incomingUrlOf(given?.env) ?? request.url).path),
  });
  for (const [path, methods] of Object.entries(routes)) {
    for (const [method, route] of Object.entries(methods)) {
      app.on(method, path, async (context) =>
        answered(context, await route(exchange(carrierOfContext(context)))),
      );
    }
  }
  app.notFound((context) => {
    const asked = new Exchange(style, carrierOfContext(context));
    const route = routeOf(asked.path);
    const allowed = methodsAt(routes, route);
    if (asked.method === "OPTIONS" && allowed !== undefined) {
      const origin = asked.header("origin");
      const isOpen = readingPosts.includes(route) || style.origins.allows(origin);
      return answered(context, asked.plain(204, null, preflightHeaders(allowed, isOpen)));
    }
    const error = routeError(asked.method, asked.path, routes, allowed);
    const headers = allowed === undefined ? [] : ["Allow", allowed.join(", ")];
    return answered(context, asked.problem(error, headers));
  });
  app.onError((cause, context) => {
    const asked = new Exchange(style, carrierOfContext(context));
    return answered(context, asked.problem(failureOf(cause, logger)));
  });
  return app;
}

/** Has an answer leave as those do that no app has made, where there is a server to do it. */
function answered({ env }: Context<AppEnv>, answer: Answer): Response {
  const { incoming, outgoing } = env ?? {};
  // Of the answer to a GET hono makes one to a HEAD.
  if (outgoing === undefined || incoming?.method === "HEAD") return responseOf(answer);
  send(outgoing as ServerResponse, answer);
  return RESPONSE_ALREADY_SENT;
}

/** What a request failed with; what nobody foresaw is told to the operator. */
export function failureOf(cause: unknown, logger: Logger): MeridianError {
  const error = asMeridianError(cause);
  if (error.code === "INTERNAL") {
    const stack = cause instanceof Error ? cause.stack : undefined;
    logger.error("a request failed", { error: error.message, stack });
  }
  return error;
}

function same(path: string): string {
  return path;
}

function incomingUrlOf(env: unknown): string | undefined {
  return (env as AppEnv["Bindings"] | undefined)?.incoming?.url;
}

function methodsAt(routes: RouteTable<never>, route: string): readonly string[] | undefined {
  const methods = Object.hasOwn(routes, route) ? routes[route] : undefined;
  if (methods === undefined) return undefined;
  const names = Object.keys(methods);
  return names.includes("GET") ? ["GET", "HEAD", ...names.filter((name) => name !== "GET")] : names;
}

/** The error of a path that nothing is at, or that does not take the method. */
function routeError(
  method: string,
  path: string,
  routes: RouteTable<never>,
  allowed: readonly string[] | undefined,
): MeridianError {
  const asked = `\`${path.slice(0, 200)}\``;
  if (allowed === undefined) {
    const known = Object.keys(routes).map((one) => `\`${one}\``);
    return new MeridianError(
      "ROUTE_NOT_FOUND",
      `Expected one of ${known.join(", ")}, got ${asked}`,
    );
  }
  return new MeridianError(
    "METHOD_NOT_ALLOWED",
    `Expected ${allowed.map((one) => `\`${one}\``).join(" or ")} at ${asked}, got \`${method}\``,
    { details: { allowed } },
  );
}
