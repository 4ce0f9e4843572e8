/** WebSockets of clients: takes them at `/ws`, bounds how many there are, and looks after them. */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";

import {
  answerRaw,
  HeldBytes,
  inTurns,
  refusalOf,
  REFUSAL_HEADERS,
  RequestTurns,
  type AnswerStyle,
  type Authenticator,
  type RateLimits,
  type SlowRequests,
} from "@meridian/http";
import { asMeridianError, MeridianError } from "@meridian/protocol";
import { BINARY_SOCKET_PROTOCOL, SOCKET_PROTOCOL } from "@meridian/protocol/socket-api";
import type { Clock, Cuts, Logger, Metrics } from "@meridian/runtime";
import { WebSocket, WebSocketServer } from "ws";

import type { RegionService } from "../../service/region-service.ts";
import { ClientSocket, type SocketHost } from "./client-socket.ts";
import { messageBytesMax } from "./operations.ts";
import { SocketAccess } from "./socket-access.ts";
import { socketCuts, type SocketCut } from "./socket-cuts.ts";
import { SocketTimes } from "./socket-times.ts";

/** What WebSockets are taken with. */
export interface SocketListenerOptions {
  readonly service: RegionService;
  readonly style: AnswerStyle;
  /** Tells what tokens grant; without it, everybody is answered. */
  readonly authenticator: Authenticator | undefined;
  readonly limits: RateLimits;
  readonly slow: SlowRequests;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** More are refused. It may change later. */
  readonly socketsMax: number;
}

/** What is held for all of them together, in bytes, unless one message may be larger. */
const HELD_BYTES_MAX = 128 * 1024 * 1024;

/** How many requests are under way on all of them together, at most. */
const REQUESTS_MAX = 10_000;

/** How often all of them are looked at, in milliseconds. */
const LOOK_MS = 1_000;

/** How many of them are looked at, or told to go, in one turn of the event loop. */
const SOCKETS_PER_TURN = 64;

const PROTOCOLS: readonly string[] = [SOCKET_PROTOCOL, BINARY_SOCKET_PROTOCOL];

/** A client may take two seconds to answer a close frame before it is cut off. */
const SERVER_OPTIONS = {
  noServer: true,
  clientTracking: false,
  perMessageDeflate: false,
  closeTimeout: 2_000,
  // The first that the client offers. Upgrades that offer none of them are refused before.
  handleProtocols: (offered: Set<string>) => [...offered].find(isKnownProtocol) ?? false,
} as const;

const TOO_LARGE = 1009;

/** Takes WebSockets. */
export class SocketListener {
  /** The most WebSockets. Where there are more because it has fallen, they stay. */
  socketsMax: number;
  readonly #options: SocketListenerOptions;
  readonly #server: WebSocketServer;
  readonly #host: SocketHost;
  readonly #cuts: Cuts<SocketCut>;
  readonly #sockets = new Set<ClientSocket>();
  #requests = 0;
  #requestBytes = 0;
  #onIdle: (() => void)[] = [];
  #isDraining = false;
  #isStopped = false;
  #cancel: () => void = () => {};

  constructor(options: SocketListenerOptions) {
    this.#options = options;
    this.socketsMax = options.socketsMax;
    const { service, clock, logger, metrics, authenticator, slow } = options;
    const bytesMax = messageBytesMax(service);
    this.#cuts = socketCuts({ clock, logger, metrics });
    this.#server = new WebSocketServer({
      ...SERVER_OPTIONS,
      maxPayload: bytesMax,
      WebSocket: socketClass(bytesMax),
    });
    this.#host = {
      service,
      clock,
      logger,
      turns: new RequestTurns(clock),
      held: new HeldBytes({
        name: "webSocketBytes",
        what: "requests and answers of WebSockets",
        max: Math.max(HELD_BYTES_MAX, 4 * bytesMax),
        clock,
        metrics,
      }),
      cuts: this.#cuts,
      times: new SocketTimes(clock, metrics, slow),
      mayBegin: () => this.#requests < REQUESTS_MAX,
      bytesUnderWay: () => this.#requestBytes,
      count: (change, bytes) => this.#count(change, bytes),
    };
    metrics.level(() => [
      { name: "webSockets", now: this.#sockets.size, max: this.socketsMax },
      { name: "webSocketRequests", now: this.#requests, max: REQUESTS_MAX },
    ]);
    authenticator?.onVoid(() => {
      for (const socket of this.#sockets) if (socket.isDoubtful) socket.verify();
    });
    this.#lookLater();
  }

  /** Requests under way. */
  get requests(): number {
    return this.#requests;
  }

  /** Takes the connection of a request that asked for a WebSocket. */
  readonly upgrade = (incoming: IncomingMessage, socket: Duplex, head: Buffer): void => {
    const refusal = this.#refusalOf(incoming);
    if (refusal !== undefined) {
      const { style } = this.#options;
      const answer = refusalOf(style, refusal);
      const isPage = refusal.code === "ORIGIN_NOT_ALLOWED";
      const headers = isPage ? [...answer.headers, ...REFUSAL_HEADERS] : answer.headers;
      return answerRaw(socket, { ...answer, headers }, incoming.headers);
    }
    this.#server.handleUpgrade(incoming, socket, head, (webSocket) => {
      const { authenticator, limits, clock } = this.#options;
      const address = incoming.socket.remoteAddress;
      const access = new SocketAccess({ authenticator, limits, clock }, address);
      const client = new ClientSocket(
        { socket: webSocket, wire: incoming.socket, address },
        access,
        this.#host,
      );
      this.#sockets.add(client);
      this.#host.held.add(client);
      webSocket.once("close", () => {
        client.ended();
        this.#sockets.delete(client);
        this.#host.held.remove(client);
      });
    });
  };

  /** Closes the connections as their requests are answered, and resolves once none is under way. */
  async drain(): Promise<void> {
    this.#isDraining = true;
    await inTurns(this.#sockets, SOCKETS_PER_TURN, (socket) => socket.drain());
    if (this.#requests > 0) await new Promise<void>((resolve) => this.#onIdle.push(resolve));
  }

  /** Closes all connections; those whose clients do not agree are cut after two seconds. */
  async stop(): Promise<void> {
    this.#isDraining = true;
    this.#isStopped = true;
    this.#cancel();
    await inTurns(this.#sockets, SOCKETS_PER_TURN, (socket) => socket.leave());
  }

  /** Why a connection is not taken; undefined if it is. */
  #refusalOf({ headers, url = "" }: IncomingMessage): MeridianError | undefined {
    const { style, service } = this.#options;
    const { socketsMax } = this;
    try {
      style.origins.check(headers.origin);
      if (url.includes("?")) {
        const said =
          "Expected no query at a WebSocket, got one; a token goes into the first message";
        throw new MeridianError("UNKNOWN_OPTION", said);
      }
      const offered = (headers["sec-websocket-protocol"] ?? "").split(",").map((one) => one.trim());
      if (!offered.some(isKnownProtocol)) {
        const got = offered.join(", ").slice(0, 100);
        const known = PROTOCOLS.map((one) => `\`${one}\``).join(" or ");
        const said = `Expected ${known} among \`Sec-WebSocket-Protocol\`, got \`${got}\``;
        throw new MeridianError("UNSUPPORTED_VERSION", said);
      }
      if (this.#isDraining) service.admission.checkServing(false);
      if (this.#sockets.size >= socketsMax && !this.#makeRoom()) {
        this.#cuts.tell("refused");
        const said = `Expected at most ${socketsMax} WebSockets, got one more`;
        throw new MeridianError("OVERLOADED", said, { details: { max: socketsMax } });
      }
      return undefined;
    } catch (cause) {
      return asMeridianError(cause);
    }
  }

  /** Parts with the oldest connection that has shown no token. Returns whether there was one. */
  #makeRoom(): boolean {
    for (const socket of this.#sockets) {
      if (!socket.isUnknown) continue;
      socket.makeRoom();
      this.#sockets.delete(socket);
      return true;
    }
    return false;
  }

  #count(change: number, bytes: number): void {
    this.#requests += change;
    this.#requestBytes += bytes;
    if (this.#requests > 0) return;
    for (const resolve of this.#onIdle.splice(0)) resolve();
  }

  #lookLater(): void {
    if (this.#isStopped) return;
    this.#cancel = this.#options.clock.after(LOOK_MS, () => {
      this.#lookLater();
      void inTurns(this.#sockets, SOCKETS_PER_TURN, (socket) => socket.look());
    });
  }
}

function isKnownProtocol(protocol: string): boolean {
  return PROTOCOLS.includes(protocol);
}

/** A WebSocket that says why it closes where the library only has a code. */
function socketClass(bytesMax: number): typeof WebSocket {
  return class extends WebSocket {
    override close(code?: number, reason?: string | Buffer): void {
      const said = `Expected a message of at most ${bytesMax} bytes, got a larger one`;
      super.close(code, reason ?? (code === TOO_LARGE ? said : undefined));
    }
  };
}
