/**
 * A span for each request, if the host of the program has registered OpenTelemetry. The path stays out of it, because it names keys. What the
 * request is a part of is from there on the span: it takes the place of the request's `traceparent`.
 */
import type { IncomingMessage } from "node:http";

import { formatTraceparent, parseTraceContext } from "@meridian/protocol";
import { activePlace, beginSpan, hasTelemetry, type SpanPlace } from "@meridian/runtime";

/** Paths on which programs report their health. They are answered however many requests are under way, and get no spans. */
export const HEALTH: RegExp = /^\/(healthz|readyz|status|metrics)(?=\?|$)/;

/** Ends the span of a request that has its answer. */
export type EndRequest = (route: string, status: number) => void;

const METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS"]);

/** Begins the span of a request; undefined if there is none to end. */
export function beginRequest(incoming: IncomingMessage): EndRequest | undefined {
  if (!hasTelemetry() || HEALTH.test(incoming.url ?? "")) return undefined;
  const { headers, method = "", socket } = incoming;
  const active = activePlace();
  if (active !== undefined) {
    // Instrumentation of the host has made a span of this request already.
    partOf(incoming, active);
    return undefined;
  }
  const named = METHODS.has(method) ? method : "HTTP";
  const span = beginSpan({
    name: named,
    kind: "server",
    parent: parseTraceContext(
      headers["traceparent"]?.toString(),
      headers["tracestate"]?.toString(),
    ),
    attributes: {
      "http.request.method": named === "HTTP" ? "_OTHER" : named,
      "url.scheme": "encrypted" in socket ? "https" : "http",
    },
  });
  if (span === undefined) return undefined;
  if (span.place !== undefined) partOf(incoming, span.place);
  return (route, status) =>
    span.end({
      name: `${named} ${route}`,
      attributes: { "http.route": route, "http.response.status_code": status },
      error: status >= 500 ? String(status) : undefined,
    });
}

function partOf({ headers }: IncomingMessage, place: SpanPlace): void {
  headers["traceparent"] = formatTraceparent(place);
  headers["tracestate"] = place.state;
}
