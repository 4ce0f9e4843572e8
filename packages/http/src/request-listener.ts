import type { IncomingMessage, ServerResponse } from "node:http";

import { getRequestListener } from "@hono/node-server";
import { asMeridianError, MeridianError } from "@meridian/protocol";
import type { Logger } from "@meridian/runtime";

import { responseOf, send } from "./answer.ts";
import { carrierOfIncoming, Exchange, refusalOf, type AnswerStyle } from "./exchange.ts";
import type { RequestListener } from "./http-server.ts";
import type { RequestLimit } from "./request-limit.ts";
import { failureOf, type RoutedApp } from "./routed-app.ts";
import { isHost, pathAndQueryOf } from "./target.ts";

/** Takes a request if it can; false if it has done nothing. */
export type ShortPath = (incoming: IncomingMessage, outgoing: ServerResponse) => boolean;

/** What a listener is made of. */
export interface RequestListenerOptions {
  readonly app: RoutedApp;
  readonly style: AnswerStyle;
  readonly limit: RequestLimit;
  readonly logger: Logger;
  /** Answers at once what is not worth counting. */
  readonly immediate?: ShortPath;
  /** Answers as the app would, but without the app's request and response. */
  readonly direct?: ShortPath;
}

/** Where programs tell how they are: answered however many requests are under way. */
const HEALTH = /^\/(healthz|readyz|status)(?=\?|$)/;

/** What stands for the host in URLs that are made only to be routed by their path. */
const HOST = "localhost";

/** From node:http to an app, and past it where a program knows a shorter way. */
export function requestListener(options: RequestListenerOptions): RequestListener {
  const { app, style, limit, logger, immediate, direct } = options;
  const throughApp = getRequestListener(app.fetch, {
    errorHandler: (cause) => responseOf(refusalOf(style, failureOf(cause, logger))),
  });
  return (incoming, outgoing) => {
    if (immediate?.(incoming, outgoing) === true) return;
    try {
      if (!HEALTH.test(incoming.url ?? "")) limit.track(incoming, outgoing);
    } catch (cause) {
      return send(outgoing, refusalOf(style, asMeridianError(cause)));
    }
    if (direct?.(incoming, outgoing) === true) return;
    const target = pathAndQueryOf(incoming.url ?? "");
    if (target === undefined || !isHost(incoming.headers.host ?? "")) {
      const exchange = new Exchange(style, carrierOfIncoming(incoming));
      return send(outgoing, exchange.problem(targetError(incoming)));
    }
    // The adapter would make a URL of both, and fail where a client's host makes none; no route asks for the host.
    incoming.url = target;
    incoming.headers.host = HOST;
    void throughApp(incoming, outgoing);
  };
}

function targetError({ url = "", headers }: IncomingMessage): MeridianError {
  return new MeridianError(
    "INVALID_ARGUMENT",
    `Expected a request to a host for a path that begins with \`/\` and has no backslash, got \`${url.slice(0, 200)}\` at \`${(headers.host ?? "").slice(0, 200)}\``,
  );
}
