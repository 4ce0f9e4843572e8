/**
 * Forwards requests to nodes, at the addresses that they have registered, and to followed directories, at those that an operator has given,
 * because a page of this directory may talk only to its own origin. `Views` sends them, and checks what comes back.
 */
import {
  HeldBytes,
  Views,
  viewRoutes,
  type Answer,
  type ApiRoutes,
  type Exchange,
  type ViewsOptions,
  type ViewTarget,
} from "@meridian/http";
import { MeridianError } from "@meridian/protocol";
import { BYTES, VIEW_API, type PlacedRoute } from "@meridian/protocol/http-api";

import { nodeBody, type NodeSource } from "../http/nodes.ts";
import { viewPathOf } from "./view-paths.ts";

/** How requests are handed on. */
export interface NodeViewsOptions extends Pick<
  ViewsOptions,
  "streams" | "clock" | "metrics" | "trust" | "insecure"
> {
  readonly source: NodeSource;
  /** The URLs of the directories that are followed, as they are named in `/status`. */
  readonly peers: readonly string[];
  /** Whether nobody but this machine can ask: then writes are handed on for who has no token, and to programs of this machine. */
  readonly isPrivate: boolean;
}

/** Requests under way at once, for one client and for all; a browser has six for one origin. */
const ASKED = { max: 24, perClientMax: 8 };
const STREAMED = { max: 64, perClientMax: 8 };

/** How long one event of a node may be, in characters. */
const EVENT_UNITS_MAX = 256 * 1024;

/** What one body may be, and what all may take that are being read, in bytes. */
const BODY_BYTES_MAX = 2 * 1024 * 1024;
const BODIES_BYTES_MAX = 16 * 1024 * 1024;

/** Hands requests on to nodes. */
export class NodeViews {
  readonly #options: NodeViewsOptions;
  readonly #views: Views;
  readonly #bodies: HeldBytes;

  constructor(options: NodeViewsOptions) {
    this.#options = options;
    const { metrics, clock } = options;
    this.#views = new Views({
      ...options,
      whom: "nodes",
      asked: ASKED,
      streamed: STREAMED,
      eventUnitsMax: EVENT_UNITS_MAX,
    });
    this.#bodies = new HeldBytes({
      name: "viewBodyBytes",
      what: "bodies that are to be handed on",
      max: BODIES_BYTES_MAX,
      clock,
      metrics,
    });
  }

  /** A route for each request of the API that is handed on. */
  routes(): ApiRoutes<typeof VIEW_API, Exchange> {
    return viewRoutes(VIEW_API, (exchange, route) => this.#handOn(exchange, route));
  }

  #handOn(exchange: Exchange, route: PlacedRoute): Promise<Answer> {
    return this.#views.forward(exchange, route, () => this.#targetOf(exchange, route));
  }

  /** Whom a request is for. Throws for a node that is not there, and for what may not be asked of it. */
  async #targetOf(exchange: Exchange, route: PlacedRoute): Promise<ViewTarget> {
    const { kind, id, target } = viewPathOf(exchange.path);
    const origin = kind === "node" ? this.#originOf(id) : this.#peerOf(id);
    this.#checkChange(exchange, route);
    const who = `the ${kind} \`${id}\``;
    // An operator has named the directories.
    const isHere = this.#options.isPrivate || kind === "directory";
    if (route.body !== BYTES) return { who, origin, isHere, target };
    const type = exchange.header("content-type");
    const headers = type === undefined ? {} : { "content-type": type };
    const body = await exchange.readBody(BODY_BYTES_MAX, this.#bodies);
    return { who, origin, isHere, target, headers, body };
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

  /** Throws `FORBIDDEN` for what changes a node, where others than this machine may ask for it without a token. */
  #checkChange({ principal }: Exchange, { method }: PlacedRoute): void {
    if (principal !== undefined || method === "GET" || this.#options.isPrivate) return;
    throw new MeridianError(
      "FORBIDDEN",
      "Expected a token for what changes a node, got none: a directory without `--token-keys` hands that on only where it listens on loopback; ask the node itself",
    );
  }
}
