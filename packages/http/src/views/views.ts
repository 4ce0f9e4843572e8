/**
 * Forwards requests to other programs of the cluster, with the client's token, because a page of this program may talk only to its own origin.
 *
 * The API lists the requests that are forwarded. They go only to the address that the caller of `forward` has found, over the TLS that this program
 * trusts. Only answers that fit the schema of the request are returned: so a program that has registered the address of another one shows
 * nothing of that one. The token is sent only where nobody on the way can read it, and is not kept.
 */
import { MeridianError } from "@meridian/protocol";
import {
  EVENTS,
  routesOf,
  type ApiRoute,
  type ApiTable,
  type PlacedRoute,
} from "@meridian/protocol/http-api";
import type { Clock, Metrics } from "@meridian/runtime";

import type { Answer } from "../answer.ts";
import type { EventStreams } from "../event-streams.ts";
import type { Exchange } from "../exchange.ts";
import { isLoopback } from "../hosts.ts";
import type { ApiRoutes } from "../routed-app.ts";
import { checkView } from "./check-view.ts";
import { askProgram, type ProgramRequest, type TlsTrust } from "./program-request.ts";
import { Turnstile, type TurnstileOptions } from "./turnstile.ts";
import { ViewStream } from "./view-stream.ts";

/** How requests are forwarded. */
export interface ViewsOptions {
  /** The programs that the requests go to, for messages: "nodes". */
  readonly whom: string;
  readonly streams: EventStreams;
  readonly clock: Clock;
  readonly metrics: Metrics;
  /** What this program trusts and shows over TLS, read anew for each request. */
  readonly trust: () => TlsTrust;
  /** Whether tokens may be shown over plain HTTP to other machines. */
  readonly insecure: boolean;
  /** How many requests, and how many streams, may be under way at once. */
  readonly asked: Pick<TurnstileOptions, "max" | "perClientMax">;
  readonly streamed: Pick<TurnstileOptions, "max" | "perClientMax">;
  /** How long one event of a stream may be, in characters. */
  readonly eventUnitsMax: number;
}

/** The program that a request goes to, and what is sent there beside the options of its query and the client's token. */
export type ViewTarget = Pick<ProgramRequest, "who" | "origin" | "isHere" | "target" | "body"> & {
  readonly headers?: ProgramRequest["headers"];
};

/** Forwards requests. */
export class Views {
  readonly #options: ViewsOptions;
  readonly #asked: Turnstile;
  readonly #streamed: Turnstile;

  constructor(options: ViewsOptions) {
    this.#options = options;
    const { metrics, whom, asked, streamed } = options;
    const what = `requests to ${whom} that are handed on`;
    this.#asked = new Turnstile({ name: "views", what, metrics, ...asked });
    const streams = `streams of ${whom} that are handed on`;
    this.#streamed = new Turnstile({ name: "viewStreams", what: streams, metrics, ...streamed });
  }

  /** Forwards a request to the program that `find` returns. Throws what `find` throws. */
  async forward(
    exchange: Exchange,
    route: PlacedRoute,
    find: () => ViewTarget | Promise<ViewTarget>,
  ): Promise<Answer> {
    if (route.answer === EVENTS) return this.#stream(exchange, route, find);
    const leave = this.#asked.enter(exchange.client);
    try {
      const asked = await this.#requestOf(exchange, route, find);
      const answer = await askProgram(asked, this.#options.clock);
      return exchange.jsonText(checkView(asked.who, route, answer));
    } finally {
      leave();
    }
  }

  async #stream(
    exchange: Exchange,
    route: PlacedRoute,
    find: () => ViewTarget | Promise<ViewTarget>,
  ): Promise<Answer> {
    const { streams } = this.#options;
    streams.check();
    const asked = await this.#requestOf(exchange, route, find);
    this.#streamed.check(exchange.client);
    return exchange.events(streams, (open) => {
      // Entered only here: an answer to `HEAD` never begins to stream, and so never ends either.
      const leave = this.#streamed.enter(exchange.client);
      let view: ViewStream | undefined;
      const stream = open({
        onDrain: () => view?.goOn(),
        onGone: () => {
          leave();
          view?.close();
        },
      });
      view = new ViewStream(asked, stream, this.#options);
    });
  }

  async #requestOf(
    exchange: Exchange,
    route: PlacedRoute,
    find: () => ViewTarget | Promise<ViewTarget>,
  ): Promise<ProgramRequest> {
    const { trust, insecure } = this.#options;
    const query = queryOf(exchange, route);
    const { who, origin, isHere, target, headers, body } = await find();
    return {
      who,
      origin,
      trust: trust(),
      isHere,
      method: route.method,
      target: target + query,
      headers: {
        accept: "application/json, text/event-stream",
        ...headers,
        ...tokenFor(exchange, origin, insecure),
      },
      ...(body !== undefined && { body }),
    };
  }
}

/** A route for each request of a table. One function answers all of them. */
export function viewRoutes<Api extends ApiTable, E extends Exchange>(
  api: Api,
  answer: (exchange: E, route: PlacedRoute) => Promise<Answer>,
): ApiRoutes<Api, E> {
  const routes: Record<string, Record<string, (exchange: E) => Promise<Answer>>> = {};
  for (const route of routesOf(api)) {
    routes[route.path] = {
      ...routes[route.path],
      [route.method]: (exchange) => answer(exchange, route),
    };
  }
  return routes as unknown as ApiRoutes<Api, E>;
}

/** The client's token, if there is one. Throws `FORBIDDEN` where others could read it on the way. */
export function tokenFor(
  exchange: Exchange,
  origin: string,
  insecure: boolean,
): Readonly<Record<string, string>> {
  if (exchange.principal === undefined) return {};
  if (insecure || isHidden(origin)) {
    return { authorization: exchange.header("authorization") ?? "" };
  }
  throw new MeridianError(
    "FORBIDDEN",
    `Expected a program with an \`https:\` URL, to which a token can be shown, got ${origin}; ask it directly`,
  );
}

/** The options of a request, and no others, percent-encoded anew; empty without any. */
function queryOf(exchange: Exchange, { query = [] }: ApiRoute): string {
  const options = exchange.query(...query.map(({ name }) => name));
  const text = new URLSearchParams(options as Record<string, string>).toString();
  return text === "" ? "" : `?${text}`;
}

/** Whether nobody on the way can read what is sent to an origin. */
function isHidden(origin: string): boolean {
  const { protocol, hostname } = new URL(origin);
  const host = hostname.replace(/^\[|\]$/g, "");
  return protocol === "https:" || host === "localhost" || isLoopback(host);
}
