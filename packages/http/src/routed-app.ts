/**
 * A table of routes as a hono app. It handles for all programs what routes need not handle: unknown paths, methods that a path does not take,
 * preflights, and the problem documents of thrown errors.
 */
import type { IncomingMessage } from "node:http";

import { asMeridianError, MeridianError } from "@meridian/protocol";
import type { AnswerOf, ApiTable, BYTES } from "@meridian/protocol/http-api";
import type { LogFields, Logger } from "@meridian/runtime";
import { Hono, type Context } from "hono";

import { responseOf, type Answer, type JsonAnswer } from "./answer.ts";
import {
  carrierOfContext,
  Exchange,
  type AnswerStyle,
  type AppEnv,
  type Carrier,
} from "./exchange.ts";
import { preflightHeaders } from "./preflight.ts";
import { idsOf } from "./request-ids.ts";
import { targetOf } from "./target.ts";

/** What a program does for the requests of one path and method. */
export type Route<E extends Exchange, Told extends Answer = Answer> = (
  exchange: E,
) => Told | Promise<Told>;

/** The routes of a program by path and method. A path may be the prefix of many, as `routeOf` says. */
export type RouteTable<E extends Exchange> = Readonly<
  Record<string, Readonly<Record<string, Route<E>>>>
>;

/**
 * A route for each request of an API, each of which answers what the API says: one that is missing, or answers anything else,
 * does not compile.
 */
export type ApiRoutes<Api extends ApiTable, E extends Exchange> = {
  readonly [Path in keyof Api]: {
    readonly [Method in keyof Api[Path]]: Route<
      E,
      AnswerOf<Api[Path][Method]> extends typeof BYTES
        ? Answer
        : JsonAnswer<AnswerOf<Api[Path][Method]>>
    >;
  };
};

/** What an app is made of. */
export interface RoutedAppOptions<E extends Exchange> {
  readonly routes: RouteTable<E>;
  /** The path of the table under which a request's path falls, still percent-encoded. Default: the same. */
  readonly routeOf?: (path: string) => string;
  readonly style: AnswerStyle;
  readonly exchange: (carrier: Carrier) => E;
  readonly logger: Logger;
}

/** An app of routes. */
export type RoutedApp = Hono<AppEnv>;

/** Builds the app. */
export function routedApp<E extends Exchange>(options: RoutedAppOptions<E>): RoutedApp {
  const { routes, style, exchange, logger, routeOf = same } = options;
  const app: RoutedApp = new Hono<AppEnv>({
    // The path as it was sent: a URL parser would have taken dot segments out of that of the request.
    getPath: (request, given) => routeOf(targetOf(incomingUrlOf(given?.env) ?? request.url).path),
  });
  for (const [path, methods] of Object.entries(routes)) {
    for (const [method, route] of Object.entries(methods)) {
      app.on(method, path, async (context) => {
        const { incoming } = context.env ?? {};
        if (context.env !== undefined) context.env.route = path;
        const asked = exchange(carrierOfContext(context));
        return responseTo(context, await runRoute(route, asked, logger, incoming));
      });
    }
  }
  app.notFound((context) => {
    const asked = new Exchange(style, carrierOfContext(context));
    const route = routeOf(asked.path);
    const allowed = methodsAt(routes, route);
    if (asked.method === "OPTIONS" && allowed !== undefined) {
      return responseTo(context, {
        status: 204,
        headers: preflightHeaders(allowed),
        body: null,
      });
    }
    asked.checkOrigin();
    const error = routeError(asked.method, asked.path, routes, allowed);
    const headers = allowed === undefined ? [] : ["Allow", allowed.join(", ")];
    return responseTo(context, asked.problem(error, headers));
  });
  app.onError((cause, context) => {
    const asked = new Exchange(style, carrierOfContext(context));
    return responseTo(context, problemOf(cause, asked, logger, context.env?.incoming));
  });
  return app;
}

/** Answers a request by a route, unless it comes from a page that may not ask; with a problem where it fails. */
export async function runRoute<E extends Exchange>(
  route: Route<E>,
  exchange: E,
  logger: Logger,
  incoming: Pick<IncomingMessage, "headers"> | undefined,
): Promise<Answer> {
  try {
    exchange.checkOrigin();
    return await route(exchange);
  } catch (cause) {
    return problemOf(cause, exchange, logger, incoming);
  }
}

/** The answer to a request that failed. */
export function problemOf(
  cause: unknown,
  exchange: Exchange,
  logger: Logger,
  incoming: Pick<IncomingMessage, "headers"> | undefined,
): Answer {
  const about = incoming === undefined ? {} : idsOf(incoming.headers);
  return exchange.problem(failureOf(cause, logger, about));
}

/** The route of requests for which a program has none. */
export const NO_ROUTE = "none";

/** An answer, and the route that has given it. */
export interface RoutedAnswer {
  readonly answer: Answer;
  readonly route: string;
}

/**
 * Asks the app for the answer to a request that came to a server. The app sees only what it routes by: routes read the
 * request itself, and the answer comes back as it is, without a fetch request and response made for each.
 */
export async function askApp(app: RoutedApp, incoming: IncomingMessage): Promise<RoutedAnswer> {
  const { method, url = "" } = incoming;
  // Whether a body is sent back is for the server to know.
  const routed = { method: method === "HEAD" ? "GET" : method, url };
  const env: AppEnv["Bindings"] = { incoming };
  await app.fetch(routed as Request, env);
  if (env.answer !== undefined) return { answer: env.answer, route: env.route ?? NO_ROUTE };
  throw new MeridianError("INTERNAL", "Expected an answer of the app, got none");
}

/** Gives the answer to whoever asked: a server, or a caller of the app who gets a response. */
function responseTo({ env }: Context<AppEnv>, answer: Answer): Response {
  if (env?.incoming === undefined) return responseOf(answer);
  env.answer = answer;
  return ANSWERED;
}

/** What the app is told when the server has its answer. No response: for the first one, Node.js loads all of `fetch`, which takes some 20 ms of a turn. */
const ANSWERED = {} as Response;

/** The error of a failed request. An unexpected error is logged for the operator. */
export function failureOf(cause: unknown, logger: Logger, about: LogFields = {}): MeridianError {
  const error = asMeridianError(cause);
  if (error.code === "INTERNAL") {
    const stack = cause instanceof Error ? cause.stack : undefined;
    logger.error("a request failed", { error: error.message, stack, ...about });
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
