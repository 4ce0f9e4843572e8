/** Hands a request on to a program of the cluster, and its answer back, piece by piece. */
import {
  request as ask,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type ServerResponse,
} from "node:http";

import { connectionFailure, MeridianError } from "@meridian/protocol";

/** Headers that are about a connection, or about the page that asks. */
const DROPPED =
  /^(connection|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|host|origin|referer|cookie|sec-.*|x-meridian-dev)$/;

/** How the answer may be changed on its way. */
export interface Rewrite {
  /** Takes the whole text of a page, and returns what is shown instead. */
  readonly page: (text: string) => string;
}

/** A page that is longer is none of the console. */
const PAGE_BYTES_MAX = 1024 * 1024;

/** Hands a request on to `target` at `origin`. Resolves once the answer has begun, or nobody waits for it; rejects with `NODE_UNREACHABLE` if there is none. */
export function handOn(
  request: IncomingMessage,
  response: ServerResponse,
  { origin, target, rewrite }: { origin: string; target: string; rewrite?: Rewrite },
): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = passed(request.headers);
    if (rewrite !== undefined) {
      for (const name of ["accept-encoding", "if-none-match", "range"]) delete headers[name];
    }
    const options = { method: request.method, path: target, headers, agent: false as const };
    const sent = ask(origin, options);
    response.on("close", () => {
      sent.destroy();
      resolve();
    });
    sent.on("error", (cause) => {
      // An answer that has begun can only be broken off.
      if (response.headersSent) return void response.destroy();
      const said = `Expected an answer at ${origin}, got none: ${connectionFailure(cause).message}`;
      reject(new MeridianError("NODE_UNREACHABLE", said));
    });
    sent.on("response", (answer: IncomingMessage) => {
      resolve();
      answer.on("error", () => response.destroy());
      if (rewrite === undefined) {
        response.writeHead(answer.statusCode ?? 502, passed(answer.headers));
        answer.pipe(response);
      } else sendPage(answer, response, rewrite);
    });
    request.pipe(sent);
  });
}

function passed(headers: IncomingHttpHeaders): OutgoingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !DROPPED.test(name)));
}

function sendPage(answer: IncomingMessage, response: ServerResponse, { page }: Rewrite): void {
  const chunks: Buffer[] = [];
  let bytes = 0;
  answer.on("data", (chunk: Buffer) => {
    bytes += chunk.byteLength;
    // This ends the answer, too.
    if (bytes > PAGE_BYTES_MAX) response.destroy();
    else chunks.push(chunk);
  });
  answer.on("end", () => {
    const { etag: _, "content-length": __, ...headers } = passed(answer.headers);
    const text = Buffer.concat(chunks).toString();
    response.writeHead(answer.statusCode ?? 502, { ...headers, "cache-control": "no-store" });
    response.end(page(text));
  });
}
