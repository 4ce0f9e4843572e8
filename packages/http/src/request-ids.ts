/**
 * The id that a client or a proxy has given a request, and the trace that the request is part of (W3C Trace Context). Log lines about the request
 * have both, and the answer returns the id. A request without an id gets none.
 */
import type { IncomingHttpHeaders, ServerResponse } from "node:http";

import { parseTraceContext } from "@meridian/protocol";
import type { LogFields } from "@meridian/runtime";

/** A word that cannot break a line, or a header. */
const REQUEST_ID = /^[\w.:/+=@-]{1,128}$/;

/** Puts the request's own id into the answer. */
export function echoRequestId(headers: IncomingHttpHeaders, outgoing: ServerResponse): void {
  const id = requestIdOf(headers);
  if (id !== undefined) outgoing.setHeader("X-Request-Id", id);
}

/** The id that a client has given its request; undefined for none, and for one that could break a line. */
export function requestIdOf(headers: IncomingHttpHeaders): string | undefined {
  const id = headers["x-request-id"];
  return typeof id === "string" && REQUEST_ID.test(id) ? id : undefined;
}

/** What a log line says of who asked. What is malformed is passed over, as if it was not there. */
export function idsOf(headers: IncomingHttpHeaders): LogFields {
  const requestId = requestIdOf(headers);
  const traceId = parseTraceContext(headers["traceparent"]?.toString())?.traceId;
  return {
    ...(requestId !== undefined && { requestId }),
    ...(traceId !== undefined && { traceId }),
  };
}
