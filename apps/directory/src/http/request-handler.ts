import type { IncomingMessage, ServerResponse } from "node:http";

import { getRequestListener } from "@hono/node-server";
import { asMeridianError, MeridianError } from "@meridian/protocol";

import { answerNearest, createApp, type DirectoryService } from "./app.ts";
import { problemAnswer, refusalOf, responseOf } from "./answer.ts";
import { send } from "./http-server.ts";

const NEAREST = "/nearest?";

/**
 * From node:http to the app, and past it for `GET /nearest`: nearly every request is one, and the same
 * answer without the app's request and response objects takes a fifth less of the processor.
 */
export function requestHandler(
  service: DirectoryService,
): (incoming: IncomingMessage, outgoing: ServerResponse) => void {
  const throughApp = getRequestListener(createApp(service).fetch, {
    // Requests of HTTP/1.0 may come without.
    hostname: "localhost",
    errorHandler: (cause) => responseOf(problemAnswer(requestError(cause))),
  });
  return (incoming, outgoing) => {
    const { method, url = "" } = incoming;
    if (method === "GET" && url.startsWith(NEAREST) && !url.includes("#")) {
      send(outgoing, answerNearest(service, url.slice(NEAREST.length)));
      return;
    }
    try {
      service.limit.track(incoming, outgoing);
    } catch (cause) {
      return send(outgoing, refusalOf(asMeridianError(cause)));
    }
    void throughApp(incoming, outgoing);
  };
}

/** The adapter fails only where no URL can be made of a request. */
function requestError(cause: unknown): MeridianError {
  const said = cause instanceof Error ? cause.message : String(cause);
  return new MeridianError(
    "INVALID_ARGUMENT",
    `Expected a request target and a host that make a URL: ${said}`,
    { cause },
  );
}
