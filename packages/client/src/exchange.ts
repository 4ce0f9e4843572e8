/** Sends one HTTP request and reads its whole answer within time limits. */
import { connectionFailure } from "@meridian/protocol";
import type { Clock, Deadlines } from "@meridian/runtime";

import { followAbort } from "./follow-abort.ts";
import type { OwnLag } from "./own-lag.ts";

/** The part of the platform's `fetch` that the client uses. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** The parts that exchanges use. */
export interface Network {
  readonly fetch: Fetch;
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
  readonly headers: Headers;
  readonly body: Uint8Array;
}

/** How long an exchange may last. */
export interface Patience {
  /** The exchange fails after so long without a byte from the server, in milliseconds. Time during which this process was too busy does not count. */
  readonly quietMs: number;
  /** The instant at which the exchange ends in any case, on the clock's `elapsedMs`. */
  readonly endMs: number;
  /** Ends it early; `exchange` then throws the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Why there is no answer. `refused`: no connection. `broken`: the connection broke. `silent`: no byte within the time that a
 * server has. `cut-short`: the caller's deadline came before that, which shows little about the server.
 */
export type Silence = "refused" | "broken" | "silent" | "cut-short";

/** The server gave no answer, or not the whole of one. */
export class NoAnswer extends Error {
  readonly kind: Silence;
  /** Whether the server may have received the whole request and done what it asks. */
  readonly mayHaveArrived: boolean;

  constructor(message: string, kind: Silence, mayHaveArrived: boolean, cause?: unknown) {
    super(message, { cause });
    this.name = "NoAnswer";
    this.kind = kind;
    this.mayHaveArrived = mayHaveArrived;
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

/** The server stopped reading before the end of the request, so it has not received all of it. */
const STOPPED_READING = "EPIPE";

/** Sends a request and reads the answer. Throws `NoAnswer`, or the signal's reason. */
export async function exchange(
  network: Network,
  request: Request,
  patience: Patience,
): Promise<RawAnswer> {
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
    // A browser's own cache knows nothing of positions and could answer with an older state.
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
  const { code, message, isUntrusted } = connectionFailure(cause);
  if (isUntrusted || NEVER_LEFT.has(code)) return new NoAnswer(message, "refused", false, cause);
  return new NoAnswer(message, "broken", code !== STOPPED_READING, cause);
}

/** If a deadline fires later than this, in milliseconds, answers that came meanwhile get one turn to be read first. */
const LATE_MS = 20;

/** Aborts an exchange when the server has been silent for too long, at `endMs`, or when its signal aborts. */
class Watch {
  readonly #network: Network;
  readonly #patience: Patience;
  readonly #controller = new AbortController();
  readonly #aborted: Promise<never>;
  readonly #unfollow: () => void;
  #lastMs: number;
  #lostBeforeMs: number;
  #dueMs = 0;
  #hadLastTurn = false;
  #cancel: () => void = () => {};

  constructor(network: Network, patience: Patience) {
    this.#network = network;
    this.#patience = patience;
    network.ownLag.watch();
    this.#lastMs = network.clock.elapsedMs();
    this.#lostBeforeMs = network.ownLag.lostMs;
    this.#aborted = new Promise((_, reject) => {
      this.signal.addEventListener("abort", () => reject(this.signal.reason as Error), {
        once: true,
      });
    });
    // Without a race that handles it, the rejection must not count as unhandled.
    this.#aborted.catch(() => {});
    this.#unfollow = followAbort(patience.signal, () => {
      this.#controller.abort(patience.signal?.reason);
    });
    this.#arm();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Settles as `work` does, or rejects when the exchange is aborted: not every `fetch` obeys its signal. */
  orAborted<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.#aborted]);
  }

  progress(): void {
    this.#lastMs = this.#network.clock.elapsedMs();
    this.#lostBeforeMs = this.#network.ownLag.lostMs;
  }

  stop(): void {
    this.#cancel();
    this.#unfollow();
    this.#network.ownLag.unwatch();
  }

  /** How long the server has been silent while this process could have heard it. */
  get #silentMs(): number {
    const { clock, ownLag } = this.#network;
    const lostMs = ownLag.lostMs - this.#lostBeforeMs;
    return Math.max(0, clock.elapsedMs() - this.#lastMs - lostMs);
  }

  #arm(): void {
    const nowMs = this.#network.clock.elapsedMs();
    const { quietMs, endMs } = this.#patience;
    const leftMs = Math.max(0, Math.min(quietMs - this.#silentMs, endMs - nowMs));
    this.#dueMs = nowMs + leftMs;
    this.#cancel = this.#network.deadlines.after(leftMs, () => this.#onDeadline());
  }

  #onDeadline(): void {
    const nowMs = this.#network.clock.elapsedMs();
    const { quietMs, endMs } = this.#patience;
    const silentMs = this.#silentMs;
    if (silentMs < quietMs && nowMs < endMs) {
      this.#arm();
      return;
    }
    if (nowMs - this.#dueMs > LATE_MS && !this.#hadLastTurn) {
      // Bytes that came while this process was busy are read before the next timer runs.
      this.#hadLastTurn = true;
      this.#cancel = this.#network.deadlines.after(1, () => this.#onDeadline());
      return;
    }
    const kind = silentMs < quietMs ? "cut-short" : "silent";
    const waitedMs = Math.round(nowMs - this.#lastMs);
    this.#controller.abort(new NoAnswer(`no answer within ${waitedMs} ms`, kind, true));
  }
}
