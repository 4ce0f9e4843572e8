/** Sends one HTTP request and reads its whole answer within time limits. */
import { connectionFailure, joinBytes } from "@meridian/protocol";
import type { Clock, Deadlines } from "@meridian/runtime";

import { AnswerWatch } from "./answer-watch.ts";
import type { ListedPage, ReceivedEntry } from "./answers.ts";
import type { Token } from "./connect.ts";
import { NoAnswer, type Patience } from "./no-answer.ts";
import type { OwnLag } from "./own-lag.ts";

/** The part of the platform's `fetch` that the client uses. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** The parts that exchanges use. */
export interface Network {
  readonly fetch: Fetch;
  /** What `fetch` shows, and a WebSocket has to show, too. */
  readonly token: Token | undefined;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly ownLag: OwnLag;
}

/** A request to one server. */
export interface Request {
  readonly method: "GET" | "PUT" | "POST" | "DELETE";
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | undefined;
}

/** An answer, read to its end. */
export interface RawAnswer {
  readonly status: number;
  readonly headers: AnswerHeaders;
  readonly body: Uint8Array;
  /** What the body says as JSON, if that is known already. */
  readonly json?: unknown;
  /** Over what it came. Default: HTTP. */
  readonly transport?: "websocket";
  /** What was found of the keys that were asked for, if that is known already. */
  readonly entries?: ReadonlyMap<string, ReceivedEntry>;
  /** The page of a listing, if that is known already. */
  readonly page?: ListedPage;
}

/** The headers of an answer, or what stands for them. */
export type AnswerHeaders = Pick<Headers, "get">;

/** Node.js's names for failures to connect; browsers do not tell. */
const NEVER_LEFT: ReadonlySet<unknown> = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "UND_ERR_CONNECT_TIMEOUT",
]);

/** The server stopped reading before the end of the request, so it has not received all of it. */
const STOPPED_READING = "EPIPE";

/** Sends a request and reads the answer. Throws `NoAnswer`, or the signal's reason. */
export async function exchange(
  network: Network,
  request: Request,
  patience: Patience,
): Promise<RawAnswer> {
  const controller = new AbortController();
  const { signal } = controller;
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });
  // Without a race that handles it, the rejection must not count as unhandled.
  aborted.catch(() => {});
  const watch = new AnswerWatch(network, patience, (reason) => controller.abort(reason));
  // Not every `fetch` obeys its signal.
  const orAborted = <T>(work: Promise<T>): Promise<T> => Promise.race([work, aborted]);
  try {
    const { fetch } = network;
    const response = await orAborted(fetch(request.url, initOf(request, signal)));
    watch.progress();
    const body = await readBody(response, watch, orAborted);
    return { status: response.status, headers: response.headers, body };
  } catch (cause) {
    if (patience.signal?.aborted === true) throw patience.signal.reason;
    if (cause instanceof NoAnswer) throw cause;
    throw failureToConnect(cause);
  } finally {
    watch.stop();
  }
}

function initOf(request: Request, signal: AbortSignal): RequestInit {
  const init = {
    method: request.method,
    headers: { ...request.headers },
    ...(request.body === undefined ? {} : { body: request.body as Uint8Array<ArrayBuffer> }),
    signal,
    redirect: "error",
    // A browser's own cache knows nothing of positions and could answer with an older state.
    cache: "no-store",
    credentials: "omit",
  } as const;
  return init;
}

async function readBody(
  response: Response,
  watch: AnswerWatch,
  orAborted: <T>(work: Promise<T>) => Promise<T>,
): Promise<Uint8Array> {
  if (response.body === null) return new Uint8Array(0);
  const reader = response.body.getReader() as ReadableStreamDefaultReader<Uint8Array>;
  const chunks: Uint8Array[] = [];
  for (;;) {
    const { done, value } = await orAborted(reader.read());
    if (done) break;
    watch.progress();
    chunks.push(value);
  }
  const [only] = chunks;
  if (chunks.length === 1 && only !== undefined) return only;
  return joinBytes(chunks);
}

function failureToConnect(cause: unknown): NoAnswer {
  const { code, message, isUntrusted } = connectionFailure(cause);
  if (isUntrusted || NEVER_LEFT.has(code)) return new NoAnswer(message, "refused", false, cause);
  return new NoAnswer(message, "broken", code !== STOPPED_READING, cause);
}
