/**
 * A span for each request over a WebSocket that is answered from data, if the host of the program has registered OpenTelemetry. Keys stay out of it. What
 * the request is a part of is from there on the span: it takes the place of the request's `traceparent`.
 */
import {
  ERROR_KINDS,
  formatTraceparent,
  parseTraceContext,
  type ErrorCode,
} from "@meridian/protocol";
import { SOCKET_PATH } from "@meridian/protocol/socket-api";
import { beginSpan, hasTelemetry } from "@meridian/runtime";

import type { DataRequest } from "./operations.ts";

/** A request, and what ends its span. */
export interface SpannedRequest {
  readonly request: DataRequest;
  /** `code` is that of an error. */
  readonly end: (code?: ErrorCode) => void;
}

/** Begins the span of a request; without OpenTelemetry, nothing. */
export function beginSocketRequest(request: DataRequest): SpannedRequest {
  if (!hasTelemetry()) return { request, end: () => {} };
  const { type, traceparent, tracestate } = request;
  const span = beginSpan({
    name: `${SOCKET_PATH} ${type}`,
    kind: "server",
    parent: parseTraceContext(traceparent, tracestate),
    attributes: { "network.protocol.name": "websocket", "meridian.request.type": type },
  });
  const place = span?.place;
  return {
    request:
      place === undefined
        ? request
        : { ...request, traceparent: formatTraceparent(place), tracestate: place.state },
    end: (code) => {
      const isFailure = code !== undefined && ERROR_KINDS[code].status >= 500;
      span?.end({
        attributes: { ...(code !== undefined && { "meridian.error.code": code }) },
        error: isFailure ? code : undefined,
      });
    },
  };
}
