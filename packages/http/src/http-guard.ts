/**
 * What an HTTP server may be asked to hold: connections, requests that arrive slowly, and answers that nobody takes.
 * Beyond each bound, clients get a problem that says so and may come again.
 */
import type { Server } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { Server as TlsServer } from "node:tls";

import { MeridianError } from "@meridian/protocol";
import type { Clock, Gauge } from "@meridian/runtime";

import type { Refuse } from "./answer.ts";
import { answerRaw } from "./raw-answer.ts";

/** How a guard is made. */
export interface HttpGuardOptions {
  /** More are refused. */
  readonly connectionsMax: number;
  readonly clock: Clock;
  /** Tells a client why it is refused, where no request has come that could be answered. */
  readonly refuse: Refuse;
  /** Bytes of answers that have not left. Default: 256 MiB. */
  readonly answerBytesMax?: number;
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
  /** What answers are written to: the connections, or what deciphers them. */
  readonly #carriers = new Set<Socket>();
  readonly #refused = new Set<Socket>();
  readonly #upgraded = new WeakSet<Duplex>();
  readonly #serve: (socket: Duplex) => void;
  #answerBytes = 0;
  #countedAtMs = -Infinity;

  /** Takes over the connections of a server that does not listen yet. */
  constructor(server: Server | TlsServer, options: HttpGuardOptions) {
    this.#options = options;
    this.#answerBytesMax = options.answerBytesMax ?? ANSWER_BYTES_MAX;
    const isSecure = server instanceof TlsServer;
    const begin = server.listeners("connection");
    const serve = isSecure ? server.listeners("secureConnection") : begin;
    this.#serve = (socket) => {
      for (const listener of serve) listener.call(server, socket);
    };
    server.removeAllListeners("connection");
    server.on("connection", (socket: Socket) => {
      if (this.#connections.size >= options.connectionsMax) {
        // Nobody would understand a refusal before the handshake.
        if (isSecure) socket.destroy();
        else this.#refuse(socket);
        return;
      }
      this.#connections.add(socket);
      socket.once("close", () => this.#connections.delete(socket));
      for (const listener of begin) listener.call(server, socket);
    });
    server.on(isSecure ? "secureConnection" : "connection", (socket: Socket) => {
      if (socket.destroyed) return;
      this.#carriers.add(socket);
      socket.once("close", () => this.#carriers.delete(socket));
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

  /** Serves requests on a connection that the server has let go of. */
  serve(socket: Duplex): void {
    this.#serve(socket);
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
    for (const socket of this.#carriers) {
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
