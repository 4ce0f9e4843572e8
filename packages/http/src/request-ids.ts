/**
 * By what a request is known elsewhere: the id that a client or a proxy has given it, and the trace that it is part of (W3C Trace
 * Context). Both go into what the log says of the request, and the id comes back with the answer. A request that names none gets none.
 */
import type { IncomingHttpHeaders, ServerResponse } from "node:http";

import { parseTraceContext } from "@meridian/protocol";
import type { LogFields } from "@meridian/runtime";

/** A word that cannot break a line, or a header. */
const REQUEST_ID = /^[\w.:/+=@-]{1,128}$/;

/** Has the answer name the request as its client did. */
export function echoRequestId(headers: IncomingHttpHeaders, outgoing: ServerResponse): void {
  const id = headers["x-request-id"];
  if (typeof id === "string" && REQUEST_ID.test(id)) outgoing.setHeader("X-Request-Id", id);
}

/** What a log line says of who asked. What is malformed is passed over, as if it was not there. */
export function idsOf(headers: IncomingHttpHeaders): LogFields {
  const { "x-request-id": requestId } = headers;
  const isId = typeof requestId === "string" && REQUEST_ID.test(requestId);
  const traceId = parseTraceContext(headers["traceparent"]?.toString())?.traceId;
  return { ...(isId && { requestId }), ...(traceId !== undefined && { traceId }) };
}
