/**
 * From node:http to the app, past it where that is safe and pays: hits in memory and plain writes are
 * answered by the same functions that the app routes to, without the app's request and response objects.
 */
import type { IncomingMessage, ServerResponse } from "node:http";

import { getRequestListener } from "@hono/node-server";
import { asMeridianError, MeridianError } from "@meridian/protocol";
import type { Logger } from "@meridian/runtime";
import type { RequestLimit } from "@meridian/transport";

import type { RegionService } from "../region-service.ts";
import { isReadable, problemAnswer, responseOf, send, type Answer } from "./answers.ts";
import { putEntry } from "./entry-routes.ts";
import { carrierOfIncoming, Exchange } from "./exchange.ts";
import { hitPath, plainKeyOf } from "./hit-path.ts";
import type { OriginPolicy } from "./origins.ts";
import { failureOf, type RegionApp } from "./region-app.ts";

/** What a listener is made of. */
export interface RequestListenerOptions {
  readonly service: RegionService;
  readonly origins: OriginPolicy;
  readonly app: RegionApp;
  readonly logger: Logger;
  readonly limit: RequestLimit;
  /** Answers everything through the app. For tests that compare the two. */
  readonly appOnly?: boolean;
}

/** A listener of a server's requests. */
export type RequestListener = (incoming: IncomingMessage, outgoing: ServerResponse) => void;

/** Builds the listener. */
export function requestListener(options: RequestListenerOptions): RequestListener {
  const { service, app, logger, limit, appOnly = false } = options;
  const throughApp = getRequestListener(app.fetch, {
    // Requests of HTTP/1.0 may come without.
    hostname: "localhost",
    errorHandler: (cause) => responseOf(problemAnswer(service, false, requestError(cause, logger))),
  });
  const takeHit = hitPath(service);
  return (incoming, outgoing) => {
    if (!appOnly && takeHit(incoming, outgoing)) return;
    try {
      limit.track(incoming, outgoing);
    } catch (cause) {
      return send(outgoing, refusalOf(service, asMeridianError(cause)));
    }
    if (!appOnly && incoming.method === "PUT" && plainKeyOf(incoming.url ?? "") !== undefined) {
      void put(options, incoming, outgoing);
      return;
    }
    void throughApp(incoming, outgoing);
  };
}

async function put(
  { service, origins, logger }: RequestListenerOptions,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  const exchange = new Exchange(service, origins, carrierOfIncoming(incoming));
  try {
    send(outgoing, await putEntry(exchange));
  } catch (cause) {
    const readable = isReadable("PUT", exchange.header("origin"));
    const answer = problemAnswer(service, readable, failureOf(cause, logger));
    // Some of the body may be unread: it is not worth reading to save a connection.
    if (!incoming.readableEnded) answer.headers.push("Connection", "close");
    send(outgoing, answer);
    incoming.resume();
  }
}

/** The adapter refuses a request only when no URL can be made of it. */
function requestError(cause: unknown, logger: Logger): MeridianError {
  if (cause instanceof Error && cause.name === "RequestError") {
    return new MeridianError(
      "INVALID_ARGUMENT",
      `Expected a request target and host that make a URL: ${cause.message}`,
      { cause },
    );
  }
  return failureOf(cause, logger);
}

/** The answer to what is refused before there is a request to route. */
export function refusalOf(service: RegionService, error: MeridianError): Answer {
  return problemAnswer(service, false, error, ["Connection", "close"]);
}
