/**
 * From a server to the app, past it where that is safe and pays: hits in memory and plain writes are answered by the
 * same functions that the app routes to, without the app's request and response objects.
 */
import type { IncomingMessage, ServerResponse } from "node:http";

import {
  carrierOfIncoming,
  failureOf,
  requestListener,
  send,
  type AnswerStyle,
  type RequestLimit,
  type RequestListener,
  type RoutedApp,
} from "@meridian/http";
import type { Logger } from "@meridian/runtime";

import type { RegionService } from "../region-service.ts";
import { putEntry } from "./entry-routes.ts";
import { RegionExchange } from "./exchange.ts";
import { hitPath, plainKeyOf } from "./hit-path.ts";

/** What a listener is made of. */
export interface RegionListenerOptions {
  readonly service: RegionService;
  readonly style: AnswerStyle;
  readonly app: RoutedApp;
  readonly logger: Logger;
  readonly limit: RequestLimit;
  /** Answers everything through the app. For tests that compare the two. */
  readonly appOnly?: boolean;
}

/** Builds the listener. */
export function regionListener(options: RegionListenerOptions): RequestListener {
  if (options.appOnly === true) return requestListener(options);
  return requestListener({
    ...options,
    immediate: hitPath(options.service),
    direct: (incoming, outgoing) => {
      if (incoming.method !== "PUT" || plainKeyOf(incoming.url ?? "") === undefined) return false;
      void put(options, incoming, outgoing);
      return true;
    },
  });
}

async function put(
  { service, style, logger }: RegionListenerOptions,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  const exchange = new RegionExchange(service, style, carrierOfIncoming(incoming));
  try {
    send(outgoing, await putEntry(exchange));
  } catch (cause) {
    const answer = exchange.problem(failureOf(cause, logger));
    // Some of the body may be unread: it is not worth reading to save a connection.
    const close = incoming.readableEnded ? [] : ["Connection", "close"];
    send(outgoing, { ...answer, headers: [...answer.headers, ...close] });
    incoming.resume();
  }
}
