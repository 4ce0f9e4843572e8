/** An HTTP server that knows its bounds: plain, or with a certificate that can be replaced while it runs. */
import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createSecureServer, type Server as SecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { TLSSocket, type SecureContextOptions } from "node:tls";

import { certificateFault, MeridianError } from "@meridian/protocol";
import type { Clock, Cuts, Logger, Metrics } from "@meridian/runtime";

import { jsonAnswer, problemAnswer, type Answer, type Refuse } from "./answer.ts";
import { HostPolicy, isLoopback } from "./hosts.ts";
import { httpCuts, type HttpCut } from "./http-cuts.ts";
import { HttpGuard } from "./http-guard.ts";
import { HTTP_TIMEOUTS, type HttpTimeouts } from "./http-timeouts.ts";
import type { PlainReader, PlainWriter } from "./plain-read.ts";
import { answerRaw, refuseConnection } from "./raw-answer.ts";
import { reply } from "./reply.ts";
import { echoRequestId } from "./request-ids.ts";
import { headError } from "./request-head.ts";
import { isHost, targetOf } from "./target.ts";
import { asksForWebSocket, headWithoutOffer, type UpgradeListener } from "./upgrades.ts";

/** A listener of a server's requests. */
export type RequestListener = (incoming: IncomingMessage, outgoing: ServerResponse) => void;

/** The certificate and key by which a server proves its identity, as PEM texts. */
export interface Certificate {
  /** The certificate, and those between it and the authority. */
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
  /** If it is given, links are accepted only from clients with a certificate of one of these authorities. */
  readonly clientCa?: string | Buffer;
}

/** How a server is made. */
export interface HttpServerOptions {
  readonly clock: Clock;
  /** Is told how full what the server holds is. */
  readonly metrics: Metrics;
  /** Is told of connections that the server parts with. */
  readonly logger: Logger;
  /** More connections are refused; `boundConnections` changes it. */
  readonly connectionsMax: number;
  /** See `HttpGuardOptions`. */
  readonly answerBytesMax?: number;
  /** How long clients may take. Default: `HTTP_TIMEOUTS`. */
  readonly timeouts?: Partial<HttpTimeouts>;
  /** With it the server speaks TLS only, without it none. */
  readonly certificate?: Certificate;
  /** Whether it may listen without TLS where others than this machine reach it. Default: false. */
  readonly insecure?: boolean;
  /** True if the server demands no tokens: then it does not listen where other machines reach it. Default: false. */
  readonly unguarded?: boolean;
  /** Names under which it answers beside `localhost` where only this machine reaches it, in lower case. */
  readonly allowHost?: readonly string[];
  /** The error of all requests before `handle` is called, but for `GET /healthz`: that says that the process lives. */
  readonly starting: MeridianError;
}

/** What a server hands its requests to. */
export interface HttpHandlers {
  readonly request: RequestListener;
  /** Accept links between programs, by path. */
  readonly upgrades?: Readonly<Record<string, UpgradeListener>>;
  /** Accept WebSockets of clients, by path. They check origins and tokens themselves. */
  readonly sockets?: Readonly<Record<string, UpgradeListener>>;
  /** Makes the answer to bytes that are not a request. */
  readonly refuse: Refuse;
  /** What answers plain reads without node:http, exactly as `request` would. */
  readonly read?: PlainReader | undefined;
  /** The same for plain writes. It needs `read`. */
  readonly write?: PlainWriter | undefined;
}

/** An HTTP server. It takes its address first, and gets its handlers once the program can answer. */
export class HttpServer {
  readonly #server: Server | SecureServer;
  readonly #options: HttpServerOptions;
  readonly #guard: HttpGuard;
  /** Connections that the server parts with. */
  readonly cuts: Cuts<HttpCut>;
  /** The error of all requests before `handle` is called. */
  starting: MeridianError;
  /** The newest answer of each connection. */
  readonly #lastAnswer = new WeakMap<Duplex, ServerResponse>();
  /** Connections that end once what has come whole is answered. */
  readonly #stumbled = new WeakSet<Duplex>();
  #hosts = new HostPolicy("*");
  readonly #refuseStarting: RequestListener;
  #request: RequestListener;
  #refuse: Refuse = (error) => problemAnswer(error, ["Connection", "close"]);
  #upgrades: Readonly<Record<string, UpgradeListener>> = {};
  #sockets: Readonly<Record<string, UpgradeListener>> = {};

  /** Throws `INVALID_CONFIG` for a certificate that is none. */
  constructor(options: HttpServerOptions) {
    this.#options = options;
    this.starting = options.starting;
    this.#server = serverOf(options);
    const refuse: Refuse = (error) => this.#refuse(error);
    this.#refuseStarting = (incoming, outgoing) => {
      const answer = asksWhetherAlive(incoming) ? ALIVE : this.#refuse(this.starting);
      this.#reply(incoming, outgoing, answer);
    };
    this.#request = this.#refuseStarting;
    this.#server.on("request", (incoming: IncomingMessage, outgoing: ServerResponse) => {
      this.#answer(incoming, outgoing);
    });
    // Without a listener the server invites every body, however large.
    this.#server.on("checkContinue", (incoming: IncomingMessage, outgoing: ServerResponse) => {
      this.#answer(incoming, outgoing, () => {
        // A refusal is sent in a microtask.
        setImmediate(() => {
          if (!outgoing.headersSent && !outgoing.destroyed) outgoing.writeContinue();
        });
      });
    });
    this.#server.on("checkExpectation", (incoming: IncomingMessage, outgoing: ServerResponse) => {
      this.#lastAnswer.set(incoming.socket, outgoing);
      echoRequestId(incoming.headers, outgoing);
      this.#guard.enter(incoming, outgoing, () =>
        this.#reply(incoming, outgoing, refuse(expectationError(incoming))),
      );
    });
    this.#server.on("connect", ({ headers }: IncomingMessage, socket: Duplex) => {
      socket.on("error", () => {});
      answerRaw(socket, refuse(tunnelError()), headers);
    });
    this.#server.on("upgrade", (incoming: IncomingMessage, socket: Duplex, head: Buffer) => {
      // Errors of a connection that is not served are of no interest. The same connection may come here many times.
      socket.off("error", ignore).on("error", ignore);
      this.#upgrade(incoming, socket, head);
    });
    this.#server.on("clientError", (cause: NodeJS.ErrnoException, socket: Duplex) =>
      this.#stumble(cause, socket),
    );
    const newestAnswer = (socket: Duplex): ServerResponse | undefined =>
      this.#lastAnswer.get(socket);
    this.cuts = httpCuts(options);
    this.#guard = new HttpGuard(this.#server, {
      ...options,
      cuts: this.cuts,
      refuse: (error) => this.#refuseUnread(error),
      newestAnswer,
    });
  }

  /**
   * Takes the address. Port 0 takes a free one. Until `handle` is called, requests are refused.
   * Rejects with `ADDRESS_IN_USE` and, for an address that is not to be had, or that others than this machine reach
   * without TLS, with `INVALID_CONFIG`.
   */
  async listen(host: string, port: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const refuse = (cause: NodeJS.ErrnoException): void => {
        reject(listenError(cause, host, port));
      };
      this.#server.once("error", refuse);
      this.#server.listen(port, host, () => {
        this.#server.off("error", refuse);
        const { address } = this.#server.address() as AddressInfo;
        const { allowHost = [] } = this.#options;
        if (isLoopback(address)) this.#hosts = new HostPolicy(allowHost);
        const exposed = isLoopback(address) ? undefined : exposedError(host, this.#options);
        if (exposed === undefined) return resolve();
        // Nothing has been answered from here yet.
        this.#server.close(() => reject(exposed));
        this.#server.closeAllConnections();
      });
    });
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Where the server is reached from this machine. */
  get url(): string {
    const { address, port } = this.#server.address() as AddressInfo;
    const reached = { "0.0.0.0": "127.0.0.1", "::": "::1" }[address] ?? address;
    const scheme = this.#options.certificate === undefined ? "http" : "https";
    return `${scheme}://${bracketed(reached)}:${port}`;
  }

  /**
   * The origins of the server's own pages if only this machine reaches it; otherwise none, because another program may serve pages at the same
   * origin.
   */
  get ownUrls(): readonly string[] {
    const { address, port } = this.#server.address() as AddressInfo;
    if (!isLoopback(address)) return [];
    return [this.url, `${new URL(this.url).protocol}//localhost:${port}`];
  }

  /** Begins to answer requests. */
  handle({ request, upgrades = {}, sockets = {}, refuse, read, write }: HttpHandlers): void {
    this.#request = request;
    this.#refuse = refuse;
    this.#upgrades = upgrades;
    this.#sockets = sockets;
    if (read === undefined) return;
    const timeouts = { ...HTTP_TIMEOUTS, ...this.#options.timeouts };
    const allows = (host: string): boolean => isHost(host) && this.#hosts.error(host) === undefined;
    this.#guard.readPlain({ timeouts, allows, read, write });
  }

  /** Refuses requests and links with `starting` again, as before `handle`. */
  rest(): void {
    const request = this.#refuseStarting;
    this.handle({ request, refuse: this.#refuse, read: () => undefined });
  }

  /** Takes so many connections at most from here on. */
  boundConnections(max: number): void {
    this.#guard.connectionsMax = max;
  }

  /** Takes another certificate for the connections to come. Throws `INVALID_CONFIG`, and keeps the one before. */
  reload(certificate: Certificate): void {
    if (!("setSecureContext" in this.#server)) {
      throw new MeridianError("INVALID_CONFIG", "Expected a server with TLS, got a plain one");
    }
    const server = this.#server;
    checked(() => server.setSecureContext(contextOf(certificate)));
  }

  /**
   * Takes no more connections, lets requests under way finish for up to `graceMs`, cuts the connections that are left,
   * and resolves when the last is gone.
   */
  async close(graceMs: number): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeIdleConnections();
    this.#guard.closeIdle();
    const cancel = this.#options.clock.after(graceMs, () => {
      this.#server.closeAllConnections();
      this.#guard.cutSuspended();
    });
    await closed;
    cancel();
  }

  /** Why a link is refused to who is at the other end of a connection; undefined if it is not. */
  #strangerError(socket: Duplex): MeridianError | undefined {
    if (this.#options.certificate?.clientCa === undefined) return undefined;
    const wrong = wrongOf(socket);
    return wrong === undefined ? undefined : new MeridianError("FORBIDDEN", STRANGER + wrong);
  }

  #answer(incoming: IncomingMessage, outgoing: ServerResponse, invite?: () => void): void {
    this.#lastAnswer.set(incoming.socket, outgoing);
    // The shortest way for whoever sends one request at a time.
    const isAlone = outgoing.socket !== null && invite === undefined;
    if (isAlone && this.#guard.mayBegin(incoming)) return this.#begin(incoming, outgoing);
    this.#guard.enter(incoming, outgoing, () => {
      this.#begin(incoming, outgoing);
      invite?.();
    });
  }

  #begin(incoming: IncomingMessage, outgoing: ServerResponse): void {
    if (incoming.headers["x-request-id"] !== undefined) echoRequestId(incoming.headers, outgoing);
    const wrong = headError(incoming, this.#hosts);
    if (wrong === undefined) this.#request(incoming, outgoing);
    else this.#reply(incoming, outgoing, this.#refuse(wrong));
  }

  /** The refusal of a client none of whose headers has been read: it gets an id by which the log knows it, too. */
  #refuseUnread(error: MeridianError): Answer {
    const requestId = randomUUID();
    const { code, message: why } = error;
    this.#options.logger.debug("refused what is no whole request", { requestId, code, why });
    const answer = this.#refuse(error);
    return { ...answer, headers: [...answer.headers, "X-Request-Id", requestId] };
  }

  #reply(incoming: IncomingMessage, outgoing: ServerResponse, answer: Answer): void {
    reply(this.#options.clock, incoming, outgoing, answer);
  }

  /** The parser has stumbled. What has come whole before that is answered all the same. */
  #stumble(cause: NodeJS.ErrnoException, socket: Duplex): void {
    // It stumbles anew over all that still comes.
    if (this.#stumbled.has(socket)) return;
    const refuse = (): void =>
      refuseConnection(cause, socket, (error) => this.#refuseUnread(error));
    if (this.#lastAnswer.get(socket)?.req.complete !== true) return refuse();
    this.#stumbled.add(socket);
    this.#onceAnswered(socket, refuse);
  }

  /** A request asks for another protocol; or it is the first one beyond the bound of requests that were sent ahead. */
  #upgrade(incoming: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { path } = targetOf(incoming.url ?? "");
    const isAsked = asksForWebSocket(incoming);
    const link = isAsked ? this.#upgrades[path] : undefined;
    const taker = link ?? (isAsked ? this.#sockets[path] : undefined);
    if (taker === undefined) {
      // Counts as held until then.
      socket.unshift(Buffer.concat([headWithoutOffer(incoming), head]));
      return this.#onceAnswered(socket, this.#guard.suspend(socket));
    }
    this.#onceAnswered(socket, () => {
      const forLinks = link && (pageError(incoming) ?? this.#strangerError(socket));
      const refusal = headError(incoming, this.#hosts) ?? forLinks;
      if (refusal !== undefined) {
        return answerRaw(socket, this.#refuse(refusal), incoming.headers);
      }
      this.#guard.upgrade(socket);
      taker(incoming, socket, head);
    });
  }

  /** Calls back once what a connection was asked before has been answered. */
  #onceAnswered(socket: Duplex, callback: () => void): void {
    const last = this.#lastAnswer.get(socket);
    if (last === undefined || last.writableFinished) callback();
    else last.once("finish", () => setImmediate(callback));
  }
}

function ignore(): void {}

/** Whoever watches a process is not to end one that opens its data, however long that takes. */
function asksWhetherAlive({ method, url = "" }: IncomingMessage): boolean {
  return (method === "GET" || method === "HEAD") && targetOf(url).path === "/healthz";
}

const ALIVE: Answer = jsonAnswer(200, { status: "ok" }, ["Cache-Control", "no-store"]);

function serverOf({ timeouts, certificate }: HttpServerOptions): Server | SecureServer {
  // `headError` tells a client that names no host what is wrong; the parser would close without a word.
  const options = { ...HTTP_TIMEOUTS, ...timeouts, requireHostHeader: false };
  if (certificate === undefined) return createServer(options);
  const handshakeTimeout = options.headersTimeout;
  const requestCert = certificate.clientCa !== undefined;
  const secure = {
    ...contextOf(certificate),
    handshakeTimeout,
    requestCert,
    rejectUnauthorized: false,
  };
  const server = checked(() => createSecureServer({ ...options, ...secure }));
  // Nobody would understand an answer before the handshake, nor would what waits to be sent ever leave.
  server.removeAllListeners("tlsClientError");
  server.on("tlsClientError", (_, socket) => socket.destroy());
  return server;
}

function contextOf({ cert, key, clientCa }: Certificate): SecureContextOptions {
  const trusted = clientCa === undefined ? {} : { ca: clientCa };
  return { cert, key, minVersion: "TLSv1.2", ...trusted };
}

function checked<T>(use: () => T): T {
  try {
    return use();
  } catch (cause) {
    throw new MeridianError(
      "INVALID_CONFIG",
      `Expected a certificate and its key as PEM, got ${cause instanceof Error ? cause.message : "something else"}`,
      { cause },
    );
  }
}

/** Only programs open links, so a page that opens one is an attack. */
function pageError({ headers: { origin } }: IncomingMessage): MeridianError | undefined {
  if (origin === undefined) return undefined;
  return new MeridianError(
    "ORIGIN_NOT_ALLOWED",
    `Expected a link of a program, which names no origin, got one of \`${origin.slice(0, 200)}\``,
  );
}

const STRANGER =
  "Expected a link with a certificate of an authority of `--tls-client-ca`, got one ";

/** What is wrong with the certificate of a client that opens a link. The text says no more than TLS itself tells that client. */
function wrongOf(socket: Duplex): string | undefined {
  // A connection that resumes a session without a certificate counts as authorized.
  if (!(socket instanceof TLSSocket) || Object.keys(socket.getPeerCertificate()).length === 0) {
    return "without";
  }
  if (socket.authorized) return undefined;
  return `whose certificate ${certificateFault(socket.authorizationError) ?? "is not valid"}`;
}

/** The error of a server that other machines can reach and that lacks TLS or tokens; undefined if it lacks neither. */
function exposedError(host: string, options: HttpServerOptions): MeridianError | undefined {
  const { certificate, insecure = false, unguarded = false } = options;
  if (certificate !== undefined || insecure) {
    if (!unguarded) return undefined;
    return new MeridianError(
      "INVALID_CONFIG",
      `Expected \`--token-keys\`, as others than this machine reach \`--host ${host}\`, got nothing; \`meridian init\` makes them, and \`--insecure-no-tokens\` answers everybody`,
    );
  }
  return new MeridianError(
    "INVALID_CONFIG",
    `Expected \`--tls-cert\` and \`--tls-key\`, as others than this machine reach \`--host ${host}\`, got nothing; \`meridian init\` makes them, and \`--insecure-no-tls\` listens without, such as behind a proxy that ends TLS`,
  );
}

function expectationError({ headers }: IncomingMessage): MeridianError {
  return new MeridianError(
    "EXPECTATION_FAILED",
    `Expected \`Expect: 100-continue\` or none, got \`${(headers.expect ?? "").slice(0, 100)}\``,
  );
}

function tunnelError(): MeridianError {
  return new MeridianError(
    "METHOD_NOT_ALLOWED",
    "Expected a request to this server, got `CONNECT`",
  );
}

function bracketed(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}

function listenError(cause: NodeJS.ErrnoException, host: string, port: number): MeridianError {
  const address = `${bracketed(host)}:${port}`;
  if (cause.code === "EADDRINUSE") {
    return new MeridianError(
      "ADDRESS_IN_USE",
      `Expected ${address} to be free, but another program listens there; stop it, or choose another port with --port`,
      { cause, details: { host, port } },
    );
  }
  if (cause.code === "EACCES") {
    return new MeridianError(
      "INVALID_CONFIG",
      `Expected an address this user may listen on, got ${address}; ports below 1024 need a privilege`,
      { cause },
    );
  }
  return new MeridianError(
    "INVALID_CONFIG",
    `Expected an address of this machine in --host, got \`${host}\` (${cause.message})`,
    { cause },
  );
}
