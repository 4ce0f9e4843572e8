/**
 * From a server to the app, past it where that is safe and pays: hits in memory and plain writes are answered by the
 * same functions that the app routes to, without the app's request and response objects.
 */
import {
  carrierOfIncoming,
  requestListener,
  runRoute,
  type Answer,
  type RequestLimit,
  type RequestListener,
  type RequestTimes,
  type RoutedApp,
  type SlowRequests,
} from "@meridian/http";
import type { Clock, Logger } from "@meridian/runtime";

import { putEntry } from "./entry-routes.ts";
import { RegionExchange, type HttpNode } from "./exchange.ts";
import { hitPath, plainKeyOf } from "./hit-path.ts";
import { KEY_PATH } from "./key-path.ts";

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

/** Builds what answers a server's requests. */
export function regionRequests(options: RegionRequestsOptions): RequestListener {
  const { node, appOnly } = options;
  const { style } = node;
  if (appOnly === true) return requestListener({ ...options, style });
  return requestListener({
    ...options,
    style,
    shortRoute: KEY_PATH,
    immediate: hitPath(node.service, style.origins),
    direct: (incoming) => {
      if (incoming.method !== "PUT" || plainKeyOf(incoming.url ?? "") === undefined) {
        return undefined;
      }
      return put(new RegionExchange(node, carrierOfIncoming(incoming)));
    },
  });
}

async function put(exchange: RegionExchange): Promise<Answer> {
  return runRoute(putEntry, exchange);
}
