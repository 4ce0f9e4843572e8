/**
 * Forwards the requests from which a map of the cluster is drawn to the directory that this region has its link with, or dials, because a page of this
 * region may talk only to its own origin.
 */
import {
  decodeEscapes,
  Views,
  viewRoutes,
  type Answer,
  type ApiRoutes,
  type ViewsOptions,
} from "@meridian/http";
import { MeridianError } from "@meridian/protocol";
import {
  DIRECTORY_VIEW_API,
  DIRECTORY_VIEW_PREFIX,
  PEER_PREFIX,
  type PlacedRoute,
} from "@meridian/protocol/http-api";

import type { RegionExchange } from "./exchange.ts";

/** Requests under way at once, for one client and for all; a map has one stream. */
const ASKED = { max: 16, perClientMax: 8 };
const STREAMED = { max: 16, perClientMax: 4 };

/** How long the event may be that tells of all nodes, in characters: a thousand have 400 000. */
const EVENT_UNITS_MAX = 2 * 1024 * 1024;

const PEER_PATH = /^\/peers\/([^/]+)\/view\/status$/;

/** How requests are forwarded to a directory. */
export interface DirectoryViewOptions extends Pick<
  ViewsOptions,
  "streams" | "clock" | "metrics" | "trust" | "insecure"
> {
  /** The URL of the directory; null while there is none. */
  readonly directoryUrl: () => string | null;
}

/** Forwards requests to the directory. */
export class DirectoryView {
  readonly #views: Views;
  readonly #directoryUrl: () => string | null;

  constructor({ directoryUrl, ...options }: DirectoryViewOptions) {
    this.#directoryUrl = directoryUrl;
    this.#views = new Views({
      ...options,
      whom: "the directory",
      asked: ASKED,
      streamed: STREAMED,
      eventUnitsMax: EVENT_UNITS_MAX,
    });
  }

  /** Answers a request with what the directory answers. */
  answer(exchange: RegionExchange, route: PlacedRoute): Promise<Answer> {
    return this.#views.forward(exchange, route, () => {
      const url = this.#directoryUrl();
      if (url === null) {
        throw new MeridianError("NODE_UNREACHABLE", "Expected a directory to ask, got none");
      }
      const { origin } = new URL(url);
      const target = targetOf(exchange.path);
      // An operator has named the directory, or a member that the operator has named.
      return { who: "the directory of this region", origin, isHere: true, target };
    });
  }
}

/** A route for each request that is forwarded. */
export function directoryViewRoutes(): ApiRoutes<typeof DIRECTORY_VIEW_API, RegionExchange> {
  return viewRoutes(DIRECTORY_VIEW_API, (exchange: RegionExchange, route) =>
    exchange.node.directoryView.answer(exchange, route),
  );
}

/** The path in the API of a request that is forwarded; undefined for any other. */
export function directoryViewRouteOf(path: string): string | undefined {
  if (!path.startsWith(`${DIRECTORY_VIEW_PREFIX}/`)) return undefined;
  const isPeer = PEER_PATH.test(path.slice(DIRECTORY_VIEW_PREFIX.length));
  return isPeer ? `${DIRECTORY_VIEW_PREFIX}${PEER_PREFIX}/status` : path;
}

/** The path at the directory, percent-encoded anew. */
function targetOf(path: string): string {
  const target = path.slice(DIRECTORY_VIEW_PREFIX.length);
  const [, peer] = PEER_PATH.exec(target) ?? [];
  if (peer === undefined) return target;
  return `/peers/${encodeURIComponent(decodeEscapes(peer))}/view/status`;
}
