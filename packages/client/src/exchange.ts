/** One HTTP request and its whole answer, bounded in time. */
import type { Clock, Deadlines } from "@meridian/runtime";

import { followAbort } from "./follow-abort.ts";

/** The part of the platform's `fetch` that the client uses. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** What exchanges go through. */
export interface Network {
  readonly fetch: Fetch;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
}

/** A request to one server. */
export interface Request {
  readonly method: "GET" | "HEAD" | "PUT" | "POST" | "DELETE";
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | undefined;
}

/** An answer, read to its end. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Uint8Array;
}

/** How long an exchange may last. */
export interface Patience {
  /** Without a byte from the server for this long, it is given up. */
  readonly quietMs: number;
  /** The instant at which it is given up whatever happens, on the clock's `elapsedMs`. */
  readonly endMs: number;
  /** Ends it early; `exchange` then throws the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** The server gave no answer, or not the whole of one. */
export class NoAnswer extends Error {
  /** Whether the server may have received the request and done what it asks. */
  readonly mayHaveArrived: boolean;
  /** The caller's time was up before the server had its own; that says nothing about the server. */
  readonly cutShort: boolean;

  constructor(
    message: string,
    facts: { readonly mayHaveArrived: boolean; readonly cutShort?: boolean },
    cause?: unknown,
  ) {
    super(message, { cause });
    this.name = "NoAnswer";
    this.mayHaveArrived = facts.mayHaveArrived;
    this.cutShort = facts.cutShort ?? false;
  }
}

/** Node.js's names for failures to connect; browsers do not tell. */
const NEVER_LEFT: ReadonlySet<unknown> = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "UND_ERR_CONNECT_TIMEOUT",
]);

/** Sends a request and reads the answer. Throws `NoAnswer`, or the signal's reason. */
export async function exchange(
  network: Network,
  request: Request,
  patience: Patience,
): Promise<Answer> {
  const watch = new Watch(network, patience);
  try {
    const { fetch } = network;
    const response = await watch.orAborted(fetch(request.url, initOf(request, watch.signal)));
    watch.progress();
    const body = await readBody(response, watch);
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
    // A browser's own cache knows nothing of sessions and would answer with what was true once.
    cache: "no-store",
    credentials: "omit",
  } as const;
  return init;
}

async function readBody(response: Response, watch: Watch): Promise<Uint8Array> {
  if (response.body === null) return new Uint8Array(0);
  const reader = response.body.getReader() as ReadableStreamDefaultReader<Uint8Array>;
  const chunks: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const { done, value } = await watch.orAborted(reader.read());
    if (done) break;
    watch.progress();
    chunks.push(value);
    length += value.length;
  }
  const [only] = chunks;
  if (chunks.length === 1 && only !== undefined) return only;
  const body = new Uint8Array(length);
  let offset = 0;
  for (const chunk of chunks) {
    body.set(chunk, offset);
    offset += chunk.length;
  }
  return body;
}

function failureToConnect(cause: unknown): NoAnswer {
  const inner: unknown = cause instanceof Error ? (cause.cause ?? cause) : cause;
  const code: unknown =
    typeof inner === "object" && inner !== null && "code" in inner ? inner.code : undefined;
  const said = inner instanceof Error ? inner.message : String(inner);
  const mayHaveArrived = !NEVER_LEFT.has(code);
  return new NoAnswer(
    said !== "" ? said : typeof code === "string" ? code : "failed",
    { mayHaveArrived },
    cause,
  );
}

/** Aborts an exchange when it has been quiet too long, has met its end, or is no longer wanted. */
class Watch {
  readonly #network: Network;
  readonly #patience: Patience;
  readonly #controller = new AbortController();
  readonly #aborted: Promise<never>;
  readonly #unfollow: () => void;
  #lastMs: number;
  #cancel: () => void = () => {};

  constructor(network: Network, patience: Patience) {
    this.#network = network;
    this.#patience = patience;
    this.#lastMs = network.clock.elapsedMs();
    this.#aborted = new Promise((_, reject) => {
      this.signal.addEventListener("abort", () => reject(this.signal.reason as Error), {
        once: true,
      });
    });
    // It is only ever raced against; without a race it must not count as unhandled.
    this.#aborted.catch(() => {});
    this.#unfollow = followAbort(patience.signal, () => {
      this.#controller.abort(patience.signal?.reason);
    });
    this.#arm();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The outcome of `work`, or the abortion, whichever is first: not every `fetch` heeds its signal. */
  orAborted<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.#aborted]);
  }

  progress(): void {
    this.#lastMs = this.#network.clock.elapsedMs();
  }

  stop(): void {
    this.#cancel();
    this.#unfollow();
  }

  #arm(): void {
    const { quietMs, endMs } = this.#patience;
    const delayMs = Math.min(this.#lastMs + quietMs, endMs) - this.#network.clock.elapsedMs();
    this.#cancel = this.#network.deadlines.after(Math.max(0, delayMs), () => this.#onDeadline());
  }

  #onDeadline(): void {
    const nowMs = this.#network.clock.elapsedMs();
    const { quietMs, endMs } = this.#patience;
    if (nowMs < Math.min(this.#lastMs + quietMs, endMs)) {
      this.#arm();
      return;
    }
    const waitedMs = nowMs - this.#lastMs;
    const facts = { mayHaveArrived: true, cutShort: waitedMs < quietMs };
    this.#controller.abort(new NoAnswer(`no answer within ${Math.round(waitedMs)} ms`, facts));
  }
}
