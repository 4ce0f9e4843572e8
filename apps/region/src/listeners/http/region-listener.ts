/**
 * From a server to the app, past it where that is safe and pays: hits in memory and plain writes are answered by the
 * same functions that the app routes to, without the app's request and response objects.
 */
import {
  carrierOfIncoming,
  requestListener,
  runRoute,
  type Answer,
  type AnswerStyle,
  type RequestLimit,
  type RequestListener,
  type RoutedApp,
} from "@meridian/http";
import type { Clock, Logger } from "@meridian/runtime";

import type { RegionService } from "../../service/region-service.ts";
import { putEntry } from "./entry-routes.ts";
import { RegionExchange } from "./exchange.ts";
import { hitPath, plainKeyOf } from "./hit-path.ts";

/** What a listener is made of. */
export interface RegionListenerOptions {
  readonly service: RegionService;
  readonly style: AnswerStyle;
  readonly app: RoutedApp;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limit: RequestLimit;
  /** Answers everything through the app. For tests that compare the two. */
  readonly appOnly?: boolean;
}

/** Builds the listener. */
export function regionListener(options: RegionListenerOptions): RequestListener {
  const { service, style, appOnly } = options;
  if (appOnly === true) return requestListener(options);
  return requestListener({
    ...options,
    immediate: hitPath(service, style.origins),
    direct: (incoming) => {
      if (incoming.method !== "PUT" || plainKeyOf(incoming.url ?? "") === undefined) {
        return undefined;
      }
      return put(new RegionExchange(service, style, carrierOfIncoming(incoming)));
    },
  });
}

async function put(exchange: RegionExchange): Promise<Answer> {
  return runRoute(putEntry, exchange);
}
