import type { IncomingMessage, ServerResponse } from "node:http";

import { asMeridianError, MeridianError } from "@meridian/protocol";
import { hasTelemetry, type Clock, type Logger } from "@meridian/runtime";

import type { Answer } from "./answer.ts";
import { carrierOfIncoming, Exchange, type AnswerStyle } from "./exchange.ts";
import type { RequestListener } from "./http-server.ts";
import type { OnPlainAnswer, PlainReader, PlainWrite, PlainWriter } from "./plain-read.ts";
import { reply } from "./reply.ts";
import type { RequestLimit } from "./request-limit.ts";
import type { RequestTimes } from "./request-times.ts";
import { beginRequest, HEALTH } from "./request-spans.ts";
import type { SlowRequests } from "./slow-requests.ts";
import { askApp, NO_ROUTE, problemOf, type RoutedAnswer, type RoutedApp } from "./routed-app.ts";
import { pathAndQueryOf } from "./target.ts";

/** Answers a request at once if it can; false if it has done nothing. */
export type ShortPath = (incoming: IncomingMessage, outgoing: ServerResponse) => boolean;

/** What a listener is made of. */
export interface RequestListenerOptions {
  readonly app: RoutedApp;
  readonly style: AnswerStyle;
  readonly limit: RequestLimit;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly times: RequestTimes;
  /** What is told of requests that take long. */
  readonly slow: SlowRequests;
  /** The route of what is answered by the short ways below. */
  readonly shortRoute?: string;
  /** For what is answered from memory: it is not worth counting as under way. */
  readonly immediate?: ShortPath;
  /** Answers as the app would, without being routed; undefined if it has done nothing. */
  readonly direct?: (incoming: IncomingMessage) => Promise<Answer> | undefined;
}

/** From node:http to an app, and past it where a program knows a shorter way. */
export function requestListener(options: RequestListenerOptions): RequestListener {
  const { app, style, limit, clock, logger, times, slow, immediate, direct } = options;
  const { shortRoute = NO_ROUTE } = options;
  const shortTimes = times.of("GET", shortRoute);
  const serve = async (incoming: IncomingMessage): Promise<RoutedAnswer> => {
    let route = NO_ROUTE;
    try {
      const taken = direct?.(incoming);
      if (taken !== undefined) {
        route = shortRoute;
        return { answer: await taken, route };
      }
      const target = pathAndQueryOf(incoming.url ?? "");
      if (target === undefined) throw targetError(incoming);
      incoming.url = target;
      return await askApp(app, incoming);
    } catch (cause) {
      const exchange = new Exchange(style, carrierOfIncoming(incoming));
      return { answer: problemOf(cause, exchange, logger, incoming), route };
    }
  };
  return (incoming, outgoing) => {
    const startedMs = clock.elapsedMs();
    const { method = "" } = incoming;
    const end = beginRequest(incoming);
    if (immediate?.(incoming, outgoing) === true) {
      const status = outgoing.statusCode;
      const tookMs = shortTimes.observe(status, startedMs);
      end?.(shortRoute, status);
      if (tookMs > slow.thresholdMs) slow.tell(incoming, { route: shortRoute, status, tookMs });
      return;
    }
    try {
      if (!HEALTH.test(incoming.url ?? "")) limit.track(incoming, outgoing);
    } catch (cause) {
      const exchange = new Exchange(style, carrierOfIncoming(incoming));
      const refusal = exchange.problem(asMeridianError(cause), ["Connection", "close"]);
      times.of(method, NO_ROUTE).observe(refusal.status, startedMs);
      end?.(NO_ROUTE, refusal.status);
      return reply(clock, incoming, outgoing, refusal);
    }
    void serve(incoming).then(({ answer, route }) => {
      const { status } = answer;
      const tookMs = times.of(method, route).observe(status, startedMs);
      end?.(route, status);
      if (tookMs > slow.thresholdMs) slow.tell(incoming, { route, status, tookMs });
      reply(clock, incoming, outgoing, answer);
    });
  };
}

/** Notes and tells of plain reads that are answered what `requestListener` notes and tells of all others. */
export function readListener(
  read: PlainReader,
  {
    clock,
    times,
    slow,
    shortRoute = NO_ROUTE,
  }: Pick<RequestListenerOptions, "clock" | "times" | "slow" | "shortRoute">,
): PlainReader {
  const shortTimes = times.of("GET", shortRoute);
  return (plain) => {
    const startedMs = clock.elapsedMs();
    // A request that a span is made of takes the way of all others.
    const answer = hasTelemetry() ? undefined : read(plain);
    if (answer === undefined) return undefined;
    const tookMs = shortTimes.observe(200, startedMs);
    if (tookMs > slow.thresholdMs) {
      const { traceparent } = plain.head;
      const headers = traceparent === undefined ? {} : { traceparent };
      slow.tell({ method: "GET", headers }, { route: shortRoute, status: 200, tookMs });
    }
    return answer;
  };
}

/** A shorter way for plain writes. */
export interface ShortWrites {
  /** Whether a write is one of these. */
  readonly takes: (write: PlainWrite) => boolean;
  /** Begins a write, and calls back with its answer in a later turn or microtask, also if it fails. */
  readonly begin: (write: PlainWrite, onAnswer: OnPlainAnswer) => void;
}

/** Counts, notes and tells of plain writes what `requestListener` counts, notes and tells of all others. */
export function writeListener(
  writes: ShortWrites,
  {
    clock,
    times,
    slow,
    limit,
    shortRoute = NO_ROUTE,
  }: Pick<RequestListenerOptions, "clock" | "times" | "slow" | "limit" | "shortRoute">,
): PlainWriter {
  const shortTimes = times.of("PUT", shortRoute);
  return (write, onAnswer) => {
    // A request that a span is made of takes the way of all others.
    if (hasTelemetry() || !writes.takes(write)) return undefined;
    const startedMs = clock.elapsedMs();
    const end = limit.begin(write);
    writes.begin(write, (answered) => {
      const status = "head" in answered ? 200 : answered.status;
      const tookMs = shortTimes.observe(status, startedMs);
      if (tookMs > slow.thresholdMs) {
        slow.tell(askedOf(write), { route: shortRoute, status, tookMs });
      }
      onAnswer(answered);
      end();
    });
    return end;
  };
}

/** What the log tells of who has asked. */
function askedOf({ head }: PlainWrite): Pick<IncomingMessage, "method" | "headers"> {
  return { method: "PUT", headers: Object.fromEntries(head.headers) };
}

function targetError({ url = "" }: IncomingMessage): MeridianError {
  return new MeridianError(
    "INVALID_ARGUMENT",
    `Expected a request for a path that begins with \`/\` and has no backslash, got \`${url.slice(0, 200)}\``,
  );
}
