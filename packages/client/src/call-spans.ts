/**
 * A span for each call, if the application has registered OpenTelemetry, by its conventions for databases. Keys stay out of it. The nodes that are
 * asked are told the trace, and a write carries it to the other regions.
 */
import { formatTraceparent, MeridianError, type TraceContext } from "@meridian/protocol";
import { activePlace, beginSpan, type LiveSpan } from "@meridian/runtime";

import type { NodeAnswer } from "./caller.ts";
import type { NodeRequest } from "./run.ts";

const OPERATIONS: Readonly<Record<string, string>> = {
  "GET cache": "get",
  "PUT cache": "set",
  "DELETE cache": "delete",
};

/** Begins the span of a call; undefined if nobody takes any. */
export function beginCall(request: NodeRequest): LiveSpan | undefined {
  const name = operationOf(request);
  const attributes = { "db.system.name": "meridian", "db.operation.name": name };
  return beginSpan({ name, kind: "client", attributes });
}

/** Ends the span of a call that a node has answered. */
export function endAnswered(span: LiveSpan, { node, answer }: NodeAnswer): void {
  const { hostname, port, protocol } = new URL(node.info.url);
  span.end({
    attributes: {
      "server.address": hostname,
      "server.port": Number(port || (protocol === "https:" ? 443 : 80)),
      ...(answer.status >= 400 && { "db.response.status_code": String(answer.status) }),
    },
  });
}

/** Ends the span of a call that has failed. */
export function endFailed(span: LiveSpan, cause: unknown): void {
  const name = cause instanceof Error ? cause.name : "_OTHER";
  span.end({ error: cause instanceof MeridianError ? cause.code : name });
}

/** The headers that tell a node what a call is a part of: its span, or the one in which the application runs. */
export function traceHeaders(span: LiveSpan | undefined): TraceHeaders {
  const place: TraceContext | undefined = span?.place ?? activePlace();
  if (place === undefined) return NO_HEADERS;
  const traceparent = formatTraceparent(place);
  return place.state === "" ? { traceparent } : { traceparent, tracestate: place.state };
}

/** By the names of W3C Trace Context. */
export interface TraceHeaders {
  readonly traceparent?: string;
  readonly tracestate?: string;
}

const NO_HEADERS: TraceHeaders = {};

/** What a request does, in a word or two: `get`, `batch set`. */
function operationOf({ method, path }: NodeRequest): string {
  const [, first = "", second = ""] = path.split(/[/?]/, 3);
  return OPERATIONS[`${method} ${first}`] ?? (first === "batch" ? `batch ${second}` : first);
}
