/**
 * Bounds what an HTTP server holds: connections, requests that clients send ahead, and answers that clients do not read. Beyond a bound
 * the guard closes the connections of the clients that move least. Only if all of them move does it refuse the newcomer, with a problem
 * document that says so.
 */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { Server as TlsServer } from "node:tls";

import { MeridianError } from "@meridian/protocol";
import type { Clock, Cuts, Metrics } from "@meridian/runtime";

import { guardAnswers, unwrittenBytes } from "./answer-body.ts";
import type { Refuse } from "./answer.ts";
import { HeldBytes, type Holder } from "./held-bytes.ts";
import type { HttpCut } from "./http-cuts.ts";
import { IdleConnections } from "./idle-connections.ts";
import { keepPauses } from "./kept-pauses.ts";
import { bodyBytesAhead, PACKET_BYTES, Pipelines, REQUEST_BYTES } from "./pipelines.ts";
import { PlainConnections, type PlainConnectionsOptions } from "./plain-connections.ts";
import { answerRaw } from "./raw-answer.ts";
import { sharingReads } from "./shared-reads.ts";

/** How a guard is made. */
export interface HttpGuardOptions {
  /** The most connections; more are refused. It may change later. */
  readonly connectionsMax: number;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly cuts: Cuts<HttpCut>;
  /** Makes the answer for a client that is refused before it has sent a request. */
  readonly refuse: Refuse;
  /** Bytes of answers that have not left. Default: 256 MiB. */
  readonly answerBytesMax?: number;
  /** The answer to the newest request of a connection. */
  readonly newestAnswer: (socket: Duplex) => ServerResponse | undefined;
}

const ANSWER_BYTES_MAX = 256 * 1024 * 1024;

/** How many refused connections may wait for their refusal to be read; more are closed without one. */
const REFUSALS_MAX = 256;

/** How long a refused client may take to hear why, in milliseconds. */
const REFUSAL_MS = 1_000;

/** The state that a guard keeps of one connection. */
class Connection implements Holder {
  readonly socket: Socket;
  readonly #pipelines: Pipelines;
  readonly #cuts: Cuts<HttpCut>;
  /** How much is read at least until the reading stops, in bytes. */
  aheadBytes = 0;

  constructor(socket: Socket, pipelines: Pipelines, cuts: Cuts<HttpCut>) {
    this.socket = socket;
    this.#cuts = cuts;
    this.#pipelines = pipelines;
  }

  get heldBytes(): number {
    const { socket } = this;
    const waiting = Math.max(this.aheadBytes, this.#pipelines.heldBytes(socket));
    return socket.writableLength + unwrittenBytes(socket) + waiting;
  }

  get movedBytes(): number {
    return this.socket.bytesWritten - this.socket.writableLength;
  }

  cut(): void {
    this.#cuts.tell("unread", { from: this.socket.remoteAddress, bytes: this.heldBytes });
    this.socket.destroy();
  }
}

/** Guards a server. */
export class HttpGuard {
  /** The most connections. Where there are more because it has fallen, they stay until they end or are idle when another comes. */
  connectionsMax: number;
  readonly #options: HttpGuardOptions;
  readonly #answers: HeldBytes;
  readonly #pipelines: Pipelines;
  readonly #connections = new Set<Socket>();
  /** What answers are written to: the connections, or what deciphers them. */
  readonly #carriers = new WeakMap<Duplex, Connection>();
  readonly #idle: IdleConnections;
  readonly #refused = new Set<Socket>();
  readonly #suspended = new Set<Duplex>();
  readonly #serve: (socket: Duplex) => void;
  /** What serves connections before node:http does. */
  #plain: PlainConnections | undefined;

  /** Takes over the connections of a server that does not listen yet. */
  constructor(server: Server | TlsServer, options: HttpGuardOptions) {
    this.#options = options;
    this.connectionsMax = options.connectionsMax;
    this.#pipelines = new Pipelines(options.clock);
    this.#answers = new HeldBytes({
      name: "httpAnswerBytes",
      what: "answers that wait to be read",
      max: options.answerBytesMax ?? ANSWER_BYTES_MAX,
      clock: options.clock,
      metrics: options.metrics,
    });
    options.metrics.level(() => [
      { name: "httpConnections", now: this.#connections.size, max: this.connectionsMax },
    ]);
    const isWriting = (socket: Socket): boolean => this.#plain?.isWriting(socket) === true;
    this.#idle = new IdleConnections(options.clock, options.newestAnswer, isWriting);
    const isSecure = server instanceof TlsServer;
    const begin = server.listeners("connection");
    const serve = isSecure ? server.listeners("secureConnection") : begin;
    this.#serve = (socket) => {
      for (const listener of serve) listener.call(server, socket);
    };
    server.removeAllListeners("connection");
    if (isSecure) server.removeAllListeners("secureConnection");
    /** Connections that have not shaken hands, by their other end. */
    const greeting = new Map<string, Socket>();
    const take = (socket: Socket): void => {
      this.#connections.add(socket);
      socket.once("close", () => this.#connections.delete(socket));
      if (!isSecure) return this.#carry(socket);
      this.#await(socket, greeting);
      for (const listener of begin) listener.call(server, socket);
    };
    server.on("connection", (accepted: Socket) => {
      // What is enciphered is read by another object.
      const socket = isSecure ? accepted : sharingReads(accepted);
      if (this.#connections.size < this.connectionsMax) return take(socket);
      socket.on("error", ignore);
      // Requests have come, perhaps, on connections that look idle: this turn reads them.
      setImmediate(() => {
        socket.off("error", ignore);
        if (!server.listening) socket.destroy();
        if (socket.destroyed) return;
        if (this.#hasRoom()) take(socket);
        else this.#refuse(socket, isSecure);
      });
    });
    server.on("secureConnection", (socket: Socket) => {
      const raw = greeting.get(otherEnd(socket));
      if (raw !== undefined) this.#idle.delete(raw);
      this.#carry(socket);
    });
  }

  /** From here on, plain requests are answered before node:http sees a connection. */
  readPlain(options: Omit<PlainConnectionsOptions, "clock" | "turns" | "serve">): void {
    const { clock } = this.#options;
    const { turns } = this.#pipelines;
    this.#plain = new PlainConnections({ ...options, clock, turns, serve: this.#serve });
  }

  /** Ends connections that are idle and that the server does not know of. */
  closeIdle(): void {
    this.#plain?.close();
  }

  /** From here on, a connection carries no answers: another bounds what it holds. */
  upgrade(socket: Duplex): void {
    const connection = this.#carriers.get(socket);
    if (connection === undefined) return;
    this.#answers.remove(connection);
    this.#idle.delete(connection.socket);
  }

  /** The server has let go of a connection that is to be served again. Returns what serves it, when it is its turn. */
  suspend(socket: Duplex): () => void {
    const onClose = (): void => void this.#suspended.delete(socket);
    this.#suspended.add(socket);
    socket.once("close", onClose);
    const connection = this.#carriers.get(socket);
    if (connection !== undefined) {
      connection.aheadBytes = PACKET_BYTES;
      this.#answers.take(PACKET_BYTES, connection);
    }
    return () =>
      this.#pipelines.turns.wait(() => {
        this.#suspended.delete(socket);
        socket.off("close", onClose);
        if (connection !== undefined) connection.aheadBytes = 0;
        if (socket.destroyed) return;
        // The server does not know that the connection is no longer idle.
        if ("setTimeout" in socket) (socket as Socket).setTimeout(0);
        this.#serve(socket);
      }, socket);
  }

  /** Cuts the connections that the server has let go of and that are not served again yet, and those that it has never had. */
  cutSuspended(): void {
    this.#plain?.cut();
    for (const socket of this.#suspended) socket.destroy();
  }

  /** Whether a request may be served at once that is the only one of its connection. */
  mayBegin(incoming: IncomingMessage): boolean {
    // It may take long.
    this.#plain?.flush();
    return this.#pipelines.mayBegin(incoming);
  }

  /** Calls back when it is the turn of a request, unless too much waits already and nobody's moves less than its client's. */
  enter(incoming: IncomingMessage, outgoing: ServerResponse, serve: () => void): void {
    const { socket } = incoming;
    const connection = this.#carriers.get(socket);
    const isAhead = outgoing.socket === null;
    if (isAhead) {
      try {
        this.#answers.admit(REQUEST_BYTES, connection);
      } catch {
        // An answer would wait behind everything that the client does not read.
        this.#options.cuts.tell("sent-ahead", { from: socket.remoteAddress });
        socket.destroy();
        return;
      }
    }
    this.#pipelines.enter(incoming, outgoing, serve);
    if (isAhead && connection !== undefined) {
      this.#answers.take(bodyBytesAhead(incoming), connection);
    }
  }

  /** Has a connection make room for others until it has shaken hands, if it takes its time. */
  #await(socket: Socket, greeting: Map<string, Socket>): void {
    const end = otherEnd(socket);
    greeting.set(end, socket);
    this.#idle.add(socket);
    socket.once("close", () => {
      this.#idle.delete(socket);
      if (greeting.get(end) === socket) greeting.delete(end);
    });
  }

  #carry(socket: Socket): void {
    if (!socket.destroyed) this.#watch(socket);
    if (this.#plain === undefined) this.#serve(socket);
    else this.#plain.take(socket);
  }

  #watch(socket: Socket): void {
    const connection = new Connection(socket, this.#pipelines, this.#options.cuts);
    this.#carriers.set(socket, connection);
    this.#answers.add(connection);
    keepPauses(socket);
    guardAnswers(socket, {
      admit: (bytes) => this.#answers.admit(bytes, connection),
      take: (bytes) => this.#answers.take(bytes, connection),
    });
    this.#idle.add(socket);
    socket.once("close", () => {
      this.#answers.remove(connection);
      this.#idle.delete(socket);
    });
  }

  /** Whether there is room for another connection, or could be made. */
  #hasRoom(): boolean {
    while (this.#connections.size >= this.connectionsMax) {
      if (!this.#makeRoom()) return false;
    }
    return true;
  }

  /** Parts with a connection on which nothing moves. Returns whether there was one. */
  #makeRoom(): boolean {
    const idle = this.#idle.take();
    if (idle === undefined) return false;
    this.#connections.delete(idle);
    this.#options.cuts.tell("idle", { from: idle.remoteAddress });
    idle.destroy();
    return true;
  }

  #refuse(socket: Socket, isSecure: boolean): void {
    this.#options.cuts.tell("refused", { from: socket.remoteAddress });
    socket.on("error", ignore);
    // A client cannot read a refusal before the TLS handshake.
    if (isSecure || this.#refused.size >= REFUSALS_MAX) {
      socket.destroy();
      return;
    }
    this.#refused.add(socket);
    const cancel = this.#options.clock.after(REFUSAL_MS, () => socket.destroy());
    socket.once("close", () => {
      cancel();
      this.#refused.delete(socket);
    });
    const { connectionsMax } = this;
    const { refuse } = this.#options;
    const said = `Expected at most ${connectionsMax} connections, got one more`;
    const error = new MeridianError("OVERLOADED", said, { details: { max: connectionsMax } });
    answerRaw(socket, refuse(error));
    // The rest of the request is read and dropped: closing before that would make the client lose the answer.
    socket.resume();
  }
}

/** Where a connection comes from: the same of a connection and of what deciphers it. */
function otherEnd({ remoteAddress = "", remotePort = 0, localAddress = "" }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress}`;
}

function ignore(): void {}
