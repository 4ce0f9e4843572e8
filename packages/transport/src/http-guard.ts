/**
 * What an HTTP server may be asked to hold: connections, requests that arrive slowly, and answers that nobody takes.
 * Beyond each bound, clients get a problem that says so and may come again.
 */
import { STATUS_CODES, type Server } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";

import { MeridianError } from "@meridian/protocol";
import type { Clock, Gauge } from "@meridian/runtime";

/**
 * How long clients may take, for `createServer`, in milliseconds. A connection that is idle between two requests is kept
 * for longer than common proxies and clients keep it, so that it is they who close it.
 */
export const HTTP_TIMEOUTS: HttpTimeouts = {
  keepAliveTimeout: 65_000,
  headersTimeout: 10_000,
  requestTimeout: 120_000,
  connectionsCheckingInterval: 1_000,
};

/** How long clients may take, in milliseconds. */
export interface HttpTimeouts {
  readonly keepAliveTimeout: number;
  /** For the head of a request, from the connection on if it is the first. */
  readonly headersTimeout: number;
  /** For all of it. */
  readonly requestTimeout: number;
  /** How often that is looked at. */
  readonly connectionsCheckingInterval: number;
}

/** How a guard is made. */
export interface HttpGuardOptions {
  /** More are refused. */
  readonly connectionsMax: number;
  readonly clock: Clock;
  /** Tells a client why it is refused, where no request has come that could be answered. */
  readonly refuse: (error: MeridianError) => RawAnswer;
  /** Bytes of answers that have not left. Default: 256 MiB. */
  readonly answerBytesMax?: number;
}

/** An answer where there is no `ServerResponse` to send it by. */
export interface RawAnswer {
  readonly status: number;
  /** Names and values in turn. */
  readonly headers: readonly string[];
  readonly body: string | Uint8Array | null;
}

const ANSWER_BYTES_MAX = 256 * 1024 * 1024;

/** Refused connections that are told why; those beyond are closed without a word. */
const REFUSALS_MAX = 256;

/** How long a refused client may take to hear why, in milliseconds. */
const REFUSAL_MS = 1_000;

/** How old the count of waiting answers may be: looking at ten thousand connections takes a millisecond. */
const FRESH_MS = 100;

/** Guards a server. */
export class HttpGuard {
  readonly #options: HttpGuardOptions;
  readonly #answerBytesMax: number;
  readonly #connections = new Set<Socket>();
  readonly #refused = new Set<Socket>();
  readonly #upgraded = new WeakSet<Duplex>();
  #answerBytes = 0;
  #countedAtMs = -Infinity;

  /** Takes over the connections of a server that does not listen yet. */
  constructor(server: Server, options: HttpGuardOptions) {
    this.#options = options;
    this.#answerBytesMax = options.answerBytesMax ?? ANSWER_BYTES_MAX;
    const serve = server.listeners("connection");
    server.removeAllListeners("connection");
    server.on("connection", (socket: Socket) => {
      if (this.#connections.size >= options.connectionsMax) return this.#refuse(socket);
      this.#connections.add(socket);
      socket.once("close", () => this.#connections.delete(socket));
      for (const listener of serve) listener.call(server, socket);
    });
  }

  /** How full what the server holds is. */
  gauges(): readonly Gauge[] {
    return [
      {
        name: "httpConnections",
        now: this.#connections.size,
        max: this.#options.connectionsMax,
      },
      { name: "httpAnswerBytes", now: this.#countAnswers(), max: this.#answerBytesMax },
    ];
  }

  /** From here on, a connection carries no answers: another bounds what it holds. */
  upgrade(socket: Duplex): void {
    this.#upgraded.add(socket);
  }

  /** Throws `OVERLOADED` while answers that nobody takes are more than there may be. */
  checkAnswers(): void {
    const nowMs = this.#options.clock.elapsedMs();
    if (nowMs - this.#countedAtMs >= FRESH_MS) {
      this.#countedAtMs = nowMs;
      this.#answerBytes = this.#countAnswers();
    }
    const [now, max] = [this.#answerBytes, this.#answerBytesMax];
    if (now <= max) return;
    const said = `Expected at most ${max} bytes of answers that wait to be read, got ${now}`;
    throw new MeridianError("OVERLOADED", said, { details: { now, max } });
  }

  #countAnswers(): number {
    let bytes = 0;
    for (const socket of this.#connections) {
      if (!this.#upgraded.has(socket)) bytes += socket.writableLength;
    }
    return bytes;
  }

  #refuse(socket: Socket): void {
    socket.on("error", () => {});
    if (this.#refused.size >= REFUSALS_MAX) {
      socket.destroy();
      return;
    }
    this.#refused.add(socket);
    const cancel = this.#options.clock.after(REFUSAL_MS, () => socket.destroy());
    socket.once("close", () => {
      cancel();
      this.#refused.delete(socket);
    });
    const { connectionsMax, refuse } = this.#options;
    const said = `Expected at most ${connectionsMax} connections, got one more`;
    const error = new MeridianError("OVERLOADED", said, { details: { max: connectionsMax } });
    answerRaw(socket, refuse(error));
    // What the client sends is not wanted; closing before it is read would take the answer from it.
    socket.resume();
  }
}

/**
 * Ends a connection that an HTTP parser stumbled over, or on which a request never came whole. One on which nothing came
 * at all is closed without a word: its client may be about to use it, and would take the refusal for the answer.
 */
export function refuseConnection(
  cause: NodeJS.ErrnoException,
  socket: Duplex,
  refuse: (error: MeridianError) => RawAnswer,
): void {
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
  return new MeridianError(
    "INVALID_ARGUMENT",
    `Expected an HTTP/1.1 request with a path in ASCII, its other characters percent-encoded, got what the parser calls \`${cause.code ?? cause.message}\``,
    { cause },
  );
}

/** Writes an answer where there is no `ServerResponse` to do it, and ends the connection. */
function answerRaw(socket: Duplex, { status, headers, body }: RawAnswer): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const lines = [`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}`];
  for (let index = 0; index < headers.length; index += 2) {
    lines.push(`${headers[index]}: ${headers[index + 1]}`);
  }
  socket.write(`${lines.join("\r\n")}\r\n\r\n`);
  socket.end(body ?? undefined);
}
