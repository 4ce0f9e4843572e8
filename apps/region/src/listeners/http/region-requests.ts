/**
 * Passes requests from a server to the app. Hits in memory and plain writes go past the app, to the same functions that the app routes to, which
 * saves its request and response objects.
 */
import {
  carrierOfIncoming,
  readListener,
  requestListener,
  runRoute,
  writeListener,
  type PlainReader,
  type PlainWriter,
  type RequestLimit,
  type RequestListener,
  type RequestTimes,
  type RoutedApp,
  type SlowRequests,
} from "@meridian/http";
import type { Clock, Logger } from "@meridian/runtime";

import { putEntry } from "./entry-routes.ts";
import { RegionExchange, type HttpNode } from "./exchange.ts";
import { hitPaths, plainKeyOf } from "./hit-path.ts";
import { KEY_PATH } from "./key-path.ts";
import { putPaths } from "./put-path.ts";

/** What requests are answered from. */
export interface RegionRequestsOptions {
  readonly node: HttpNode;
  readonly app: RoutedApp;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly times: RequestTimes;
  readonly limit: RequestLimit;
  readonly slow: SlowRequests;
  /** Answers everything through the app. For tests that compare the two. */
  readonly appOnly?: boolean;
}

/** What answers a server's requests, and plain ones before they are any. */
export interface RegionRequests {
  readonly request: RequestListener;
  /** Undefined if everything goes through the app. */
  readonly plain: { readonly read: PlainReader; readonly write: PlainWriter } | undefined;
}

/** Builds what answers a server's requests. */
export function regionRequests(options: RegionRequestsOptions): RegionRequests {
  const { node, appOnly } = options;
  const { style } = node;
  if (appOnly === true)
    return { request: requestListener({ ...options, style }), plain: undefined };
  const shortRoute = KEY_PATH;
  const { immediate, read } = hitPaths(node.service, style.origins);
  const request = requestListener({
    ...options,
    style,
    shortRoute,
    immediate,
    direct: (incoming) => {
      if (incoming.method !== "PUT" || plainKeyOf(incoming.url ?? "") === undefined) {
        return undefined;
      }
      const exchange = new RegionExchange(node, carrierOfIncoming(incoming));
      return runRoute(putEntry, exchange, options.logger, incoming);
    },
  });
  const about = { ...options, shortRoute };
  const write = writeListener(putPaths(node, options.logger), about);
  return { request, plain: { read: readListener(read, about), write } };
}
