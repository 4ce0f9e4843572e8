/** Answers on connections that carry no request: where a parser stumbled, or none was ever given the bytes. */
import { maxHeaderSize, type IncomingHttpHeaders } from "node:http";
import type { Duplex } from "node:stream";

import { MeridianError } from "@meridian/protocol";

import { wholeBody } from "./answer-body.ts";
import type { Answer, Refuse } from "./answer.ts";
import { headTextOf } from "./head-text.ts";
import { requestIdOf } from "./request-ids.ts";

/**
 * Ends a connection that an HTTP parser stumbled over, or on which a request never came whole. One on which nothing came
 * at all is closed without a word: its client may be about to use it, and would take the refusal for the answer.
 */
export function refuseConnection(
  cause: NodeJS.ErrnoException,
  socket: Duplex,
  refuse: Refuse,
): void {
  // Bytes after the last request of a connection belong to no request. The answer to that request ends the connection.
  if (cause.code === "HPE_CLOSED_CONNECTION") return;
  const isUnused = "bytesRead" in socket && socket.bytesRead === 0;
  if (cause.code === "ERR_HTTP_REQUEST_TIMEOUT" && isUnused) socket.destroy();
  else answerRaw(socket, refuse(parserError(cause)));
}

/** What is answered to bytes that an HTTP parser stumbled over, or to a request that never came whole. */
function parserError(cause: NodeJS.ErrnoException): MeridianError {
  if (cause.code === "ERR_HTTP_REQUEST_TIMEOUT") {
    const said = "Expected a request to arrive in time, got only a part of it, or nothing";
    return new MeridianError("REQUEST_TIMEOUT", said, { cause });
  }
  if (cause.code === "HPE_HEADER_OVERFLOW") {
    const said = `Expected a request whose head has at most ${maxHeaderSize} bytes, got more`;
    return new MeridianError("HEADERS_TOO_LARGE", said, { cause });
  }
  return new MeridianError(
    "INVALID_ARGUMENT",
    `Expected an HTTP/1.1 request with a path in ASCII, its other characters percent-encoded, got what the parser calls \`${cause.code ?? cause.message}\``,
    { cause },
  );
}

/**
 * Writes an answer where there is no `ServerResponse` to do it, and ends the connection. `asked` has the headers of the request, if one was
 * read: the answer names it as its client did.
 */
export function answerRaw(
  socket: Duplex,
  { status, headers, body }: Answer,
  asked: IncomingHttpHeaders = {},
): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const id = requestIdOf(asked);
  const named = id === undefined ? headers : [...headers, "X-Request-Id", id];
  socket.write(`${headTextOf(status, named)}\r\n`);
  socket.end(wholeBody(body) ?? undefined);
}
