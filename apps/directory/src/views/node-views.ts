/**
 * Forwards requests to nodes and to followed directories, with the client's token, because a page of this directory may talk only to its own origin.
 *
 * The API lists the requests that are forwarded. They go only to the address that the node has registered, or that an operator has given for the directory,
 * over the TLS that this directory trusts. Only answers that fit the schema of the request are returned: so a node that has registered the address of
 * another program shows nothing of that program. The token is sent only where nobody on the way can read it, and is not kept.
 */
import {
  HeldBytes,
  isLoopback,
  type Answer,
  type ApiRoutes,
  type EventStreams,
  type Exchange,
} from "@meridian/http";
import { MeridianError } from "@meridian/protocol";
import {
  BYTES,
  EVENTS,
  routesOf,
  VIEW_API,
  type ApiRoute,
  type PlacedRoute,
} from "@meridian/protocol/http-api";
import type { Clock, Metrics } from "@meridian/runtime";

import { nodeBody, type NodeSource } from "../http/nodes.ts";
import { checkView } from "./check-view.ts";
import { ask, type NodeRequest, type TlsTrust } from "./node-request.ts";
import { Turnstile } from "./turnstile.ts";
import { viewPathOf } from "./view-paths.ts";
import { ViewStream } from "./view-stream.ts";

/** How requests are handed on. */
export interface NodeViewsOptions {
  readonly source: NodeSource;
  /** The URLs of the directories that are followed, as they are named in `/status`. */
  readonly peers: readonly string[];
  readonly streams: EventStreams;
  readonly clock: Clock;
  readonly metrics: Metrics;
  /** What this directory trusts and shows over TLS, read anew for each request. */
  readonly trust: () => TlsTrust;
  /** Whether tokens may be shown over plain HTTP to other machines. */
  readonly insecure: boolean;
  /** Whether nobody but this machine can ask: then writes are handed on for who has no token, and to programs of this machine. */
  readonly isPrivate: boolean;
}

/** Requests under way at once, for one client and for all; a browser has six for one origin. */
const ASKED = { max: 24, perClientMax: 8 };
const STREAMED = { max: 64, perClientMax: 8 };

/** What one body may be, and what all may take that are being read, in bytes. */
const BODY_BYTES_MAX = 2 * 1024 * 1024;
const BODIES_BYTES_MAX = 16 * 1024 * 1024;

type ViewRoutes = ApiRoutes<typeof VIEW_API, Exchange>;

/** Hands requests on to nodes. */
export class NodeViews {
  readonly #options: NodeViewsOptions;
  readonly #asked: Turnstile;
  readonly #streamed: Turnstile;
  readonly #bodies: HeldBytes;

  constructor(options: NodeViewsOptions) {
    this.#options = options;
    const { metrics, clock } = options;
    const what = "requests to nodes that are handed on";
    this.#asked = new Turnstile({ name: "views", what, metrics, ...ASKED });
    const streams = "streams of nodes that are handed on";
    this.#streamed = new Turnstile({ name: "viewStreams", what: streams, metrics, ...STREAMED });
    this.#bodies = new HeldBytes({
      name: "viewBodyBytes",
      what: "bodies that are to be handed on",
      max: BODIES_BYTES_MAX,
      clock,
      metrics,
    });
  }

  /** A route for each request of the API that is handed on. */
  routes(): ViewRoutes {
    const routes: Record<string, Record<string, (exchange: Exchange) => Promise<Answer>>> = {};
    for (const route of routesOf(VIEW_API)) {
      routes[route.path] = {
        ...routes[route.path],
        [route.method]: (exchange) => this.#handOn(exchange, route),
      };
    }
    return routes as unknown as ViewRoutes;
  }

  async #handOn(exchange: Exchange, route: PlacedRoute): Promise<Answer> {
    const { clock, streams } = this.#options;
    if (route.answer === EVENTS) {
      streams.check();
      const asked = await this.#requestOf(exchange, route);
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
        view = new ViewStream(asked, stream, clock);
      });
    }
    const leave = this.#asked.enter(exchange.client);
    try {
      const asked = await this.#requestOf(exchange, route);
      return exchange.jsonText(checkView(asked.who, route, await ask(asked, clock)));
    } finally {
      leave();
    }
  }

  /** What the node is asked. Throws for a node that is not there, and for what may not be asked of it. */
  async #requestOf(exchange: Exchange, route: PlacedRoute): Promise<NodeRequest> {
    const { kind, id, target } = viewPathOf(exchange.path);
    const query = queryOf(exchange, route);
    const origin = kind === "node" ? this.#originOf(id) : this.#peerOf(id);
    const headers = this.#headersOf(exchange, route, origin);
    const body =
      route.body === BYTES ? await exchange.readBody(BODY_BYTES_MAX, this.#bodies) : undefined;
    return {
      who: `the ${kind} \`${id}\``,
      origin,
      trust: this.#options.trust(),
      // An operator has named the directories.
      isHere: this.#options.isPrivate || kind === "directory",
      method: route.method,
      target: target + query,
      headers,
      ...(body !== undefined && { body }),
    };
  }

  #originOf(id: string): string {
    const { url, goneSinceMs } = nodeBody(this.#options.source, id);
    if (goneSinceMs === null) return new URL(url).origin;
    const said = `Expected the node \`${id}\` to be there, but it is gone`;
    throw new MeridianError("NODE_UNREACHABLE", said);
  }

  #peerOf(name: string): string {
    const { peers } = this.#options;
    if (peers.includes(name)) return new URL(name).origin;
    const known = peers.length === 0 ? "none" : peers.map((peer) => `\`${peer}\``).join(", ");
    const said = `Expected a directory that this one follows (${known}), got \`${name.slice(0, 200)}\``;
    throw new MeridianError("NODE_NOT_FOUND", said);
  }

  #headersOf(exchange: Exchange, { method, body }: PlacedRoute, origin: string) {
    const { insecure, isPrivate } = this.#options;
    const headers: Record<string, string> = { accept: "application/json, text/event-stream" };
    const type = exchange.header("content-type");
    if (body === BYTES && type !== undefined) headers["content-type"] = type;
    if (exchange.principal === undefined) {
      if (method === "GET" || isPrivate) return headers;
      throw new MeridianError(
        "FORBIDDEN",
        "Expected a token for what changes a node, got none: a directory without `--token-keys` hands that on only where it listens on loopback; ask the node itself",
      );
    }
    return { ...headers, ...tokenFor(exchange, origin, insecure) };
  }
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
    `Expected a node with an \`https:\` URL, to which a token can be shown, got ${origin}; ask the node itself`,
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
