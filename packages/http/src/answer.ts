/** HTTP answers as plain data, which a server or a fetch handler writes out. */
import type { ServerResponse } from "node:http";

import {
  asMeridianError,
  PROBLEM_CONTENT_TYPE,
  retryAfterOf,
  toProblem,
  type MeridianError,
} from "@meridian/protocol";

import { admitAnswer, bodyBytes, wholeBody, writeBody, type AnswerBody } from "./answer-body.ts";

/** Names and values in turn, as `ServerResponse.writeHead` takes them fastest. */
export type HeaderList = readonly string[];

/** An HTTP answer, independent of what writes it out. */
export interface Answer {
  readonly status: number;
  /** Includes `Content-Length` if there is a body. Without it, the body would travel in chunks, and `HEAD` would tell no length. */
  readonly headers: HeaderList;
  readonly body: AnswerBody;
}

declare const told: unique symbol;

/** An answer whose body is the JSON of a `Body`. */
export interface JsonAnswer<Body> extends Answer {
  /** Never set. It lets the compiler refuse an answer that its route does not promise. */
  readonly [told]: Body;
}

/** Makes the answer to bytes that are not a request, and to a request or connection that exceeds a bound. */
export type Refuse = (error: MeridianError) => Answer;

/** An answer whose body is text. */
export function textAnswer(
  status: number,
  contentType: string,
  text: string,
  headers: HeaderList = [],
): Answer {
  const length = String(Buffer.byteLength(text));
  return {
    status,
    headers: ["Content-Type", contentType, "Content-Length", length, ...headers],
    body: text,
  };
}

/** An answer whose body is JSON. */
export function jsonAnswer<const Body>(
  status: number,
  body: Body,
  headers: HeaderList = [],
): JsonAnswer<Body> {
  return jsonTextAnswer<Body>(status, JSON.stringify(body), headers);
}

/** An answer whose body is the JSON of a `Body` already. */
export function jsonTextAnswer<Body>(
  status: number,
  text: string,
  headers: HeaderList = [],
): JsonAnswer<Body> {
  return textAnswer(status, "application/json", text, headers) as JsonAnswer<Body>;
}

/** The problem document of an error, with the status of its kind. */
export function problemAnswer(error: MeridianError, headers: HeaderList = []): Answer {
  const problem = toProblem(error);
  // An error holds for the present moment only, and a cache might keep it for long.
  const all = ["Cache-Control", "no-store", ...headers, ...retryAfterOf(error)];
  return textAnswer(problem.status, PROBLEM_CONTENT_TYPE, JSON.stringify(problem), all);
}

/** The answer as a fetch response. */
export function responseOf({ status, headers, body }: Answer): Response {
  const named = new Headers();
  for (let at = 0; at < headers.length; at += 2) {
    named.append(headers[at] ?? "", headers[at + 1] ?? "");
  }
  return new Response(wholeBody(body) as ConstructorParameters<typeof Response>[0], {
    status,
    headers: named,
  });
}

/** Writes the answer, or a refusal if there is no room for it. Does nothing if the client is gone. */
export function send(outgoing: ServerResponse, answer: Answer): void {
  if (outgoing.destroyed) return;
  let { status, headers, body } = answer;
  let bytes = bodyBytes(body);
  try {
    admitAnswer(outgoing, bytes);
  } catch (cause) {
    ({ status, headers, body } = problemAnswer(asMeridianError(cause), ["Connection", "close"]));
    bytes = bodyBytes(body);
  }
  outgoing.writeHead(status, headers as string[]);
  writeBody(outgoing, body, bytes);
}
