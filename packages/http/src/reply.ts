/**
 * Answers to requests whose body has not come whole: a refusal of what is too large, or of who may not. Closing a
 * connection while its client is still sending makes the client's system drop the answer with the connection. So the
 * answer is sent, the sending half of the connection closed, and what still comes is read and thrown away, for a bounded
 * time and number of bytes (RFC 9112, section 9.6).
 */
import type { IncomingMessage, ServerResponse } from "node:http";

import type { Clock } from "@meridian/runtime";

import { wholeBody } from "./answer-body.ts";
import { send, type Answer } from "./answer.ts";
import { hasBody } from "./request-head.ts";

/** What is read of an unwanted body before the connection is cut, in bytes and milliseconds. */
const UNWANTED_BYTES_MAX = 64 * 1024 * 1024;
const UNWANTED_MS = 10_000;

/** An unwanted body of at most so many bytes is read to its end, to keep the connection. */
const SMALL_BODY_BYTES_MAX = 4 * 1024 * 1024;

/** Answers a request, whether its body has come whole or not. */
export function reply(
  clock: Clock,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  answer: Answer,
): void {
  if (incoming.complete || !hasBody(incoming) || outgoing.destroyed) return send(outgoing, answer);
  const { status, headers, body } = answer;
  if (isKept(incoming, outgoing, answer)) {
    send(outgoing, answer);
    incoming.resume();
    return;
  }
  outgoing.shouldKeepAlive = false;
  outgoing.writeHead(status, [...headers.filter(isOther), "Connection", "close"]);
  if (outgoing.socket === null)
    outgoing.once("socket", () => linger(clock, incoming, outgoing, body));
  else linger(clock, incoming, outgoing, body);
}

/** Whether the rest of a body is little, and certain to come, so that another request may follow it. */
function isKept(
  { headers }: IncomingMessage,
  { shouldKeepAlive }: ServerResponse,
  answer: Answer,
): boolean {
  const length = Number(headers["content-length"] ?? Infinity);
  // Who waits to be invited may send the body of a refused request or not.
  if (length > SMALL_BODY_BYTES_MAX || headers.expect !== undefined) return false;
  return shouldKeepAlive && answer.headers.every((_, index, all) => isOther("", index, all));
}

function isOther(_: string, index: number, headers: readonly string[]): boolean {
  return (headers[index - (index % 2)] ?? "").toLowerCase() !== "connection";
}

function linger(
  clock: Clock,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  body: Answer["body"],
): void {
  const { socket } = incoming;
  // `outgoing.end` would cut the connection as soon as the answer has left. To `HEAD`, `write` sends nothing, not even the head.
  if (body === null || incoming.method === "HEAD") outgoing.flushHeaders();
  else outgoing.write(wholeBody(body));
  socket.end();
  const cancel = clock.after(UNWANTED_MS, () => socket.destroy());
  let bytes = 0;
  incoming.on("data", (chunk: Buffer) => {
    bytes += chunk.byteLength;
    if (bytes > UNWANTED_BYTES_MAX) socket.destroy();
  });
  incoming.on("end", () => socket.destroySoon());
  incoming.resume();
  incoming.on("error", () => socket.destroy());
  socket.once("close", cancel);
}
