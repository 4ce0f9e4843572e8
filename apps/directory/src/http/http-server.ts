import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";

import { asMeridianError, MeridianError } from "@meridian/protocol";
import type { Clock, Gauge } from "@meridian/runtime";
import { HTTP_TIMEOUTS, HttpGuard, refuseConnection, type RawAnswer } from "@meridian/transport";

import { problemAnswer, refusalOf, type Answer } from "./answer.ts";

/** What a server hands its requests to. */
export interface ServerHandlers {
  readonly request: (incoming: IncomingMessage, outgoing: ServerResponse) => void;
  readonly upgrade: (incoming: IncomingMessage, socket: Duplex, head: Buffer) => void;
}

/** Connections on which no answer comes are cut this long after `close`, in milliseconds. */
const GRACE_MS = 1_000;

/** A server that has its address from the start, and its handlers once there is something to answer from. */
export class HttpServer {
  readonly #server: Server;
  readonly #clock: Clock;
  readonly #guard: HttpGuard;
  #handlers: ServerHandlers | undefined;

  constructor(clock: Clock, connectionsMax: number) {
    this.#clock = clock;
    this.#server = createServer(HTTP_TIMEOUTS, (incoming, outgoing) => {
      this.#answer(incoming, outgoing);
    });
    const refuse = (error: MeridianError): RawAnswer => withLength(refusalOf(error));
    this.#server.on("clientError", (cause, socket) => refuseConnection(cause, socket, refuse));
    this.#guard = new HttpGuard(this.#server, { connectionsMax, clock, refuse });
  }

  /** How full what the server holds is. */
  gauges(): readonly Gauge[] {
    return this.#guard.gauges();
  }

  /**
   * Takes the address. Until `handle` is called, requests are answered with 503.
   * Throws `ADDRESS_IN_USE` or, for an address that is not this machine's, `INVALID_CONFIG`.
   */
  async listen(host: string, port: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const refuse = (cause: NodeJS.ErrnoException): void => {
        reject(listenError(cause, host, port));
      };
      this.#server.once("error", refuse);
      this.#server.listen(port, host, () => {
        this.#server.off("error", refuse);
        resolve();
      });
    });
  }

  /** Where the server is reached from this machine. */
  get url(): string {
    const { address, port } = this.#server.address() as AddressInfo;
    const reached = { "0.0.0.0": "127.0.0.1", "::": "::1" }[address] ?? address;
    return `http://${reached.includes(":") ? `[${reached}]` : reached}:${port}`;
  }

  /** Begins to answer requests. */
  handle(handlers: ServerHandlers): void {
    this.#handlers = handlers;
    this.#server.on("upgrade", (incoming, socket, head) => {
      this.#guard.upgrade(socket);
      handlers.upgrade(incoming, socket, head);
    });
  }

  #answer(incoming: IncomingMessage, outgoing: ServerResponse): void {
    try {
      this.#guard.checkAnswers();
    } catch (cause) {
      return send(outgoing, refusalOf(asMeridianError(cause)));
    }
    if (this.#handlers === undefined) send(outgoing, STARTING_ANSWER);
    else this.#handlers.request(incoming, outgoing);
  }

  /** Takes no more connections, lets requests under way finish, and resolves when the last is gone. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeIdleConnections();
    const cancel = this.#clock.after(GRACE_MS, () => this.#server.closeAllConnections());
    await closed;
    cancel();
  }
}

/** Writes an answer out. */
export function send(outgoing: ServerResponse, answer: Answer): void {
  const { status, headers, body } = withLength(answer);
  outgoing.writeHead(status, [...headers]);
  outgoing.end(body);
}

/** Without the length the body would travel in chunks. */
function withLength({ status, headers, body }: Answer): Answer {
  const length = String(Buffer.byteLength(body));
  return { status, headers: [...headers, "Content-Length", length], body };
}

const STARTING_ANSWER: Answer = problemAnswer(
  new MeridianError("DIRECTORY_UNREACHABLE", "The directory is still opening its log"),
);

function listenError(cause: NodeJS.ErrnoException, host: string, port: number): MeridianError {
  const address = `${host.includes(":") ? `[${host}]` : host}:${port}`;
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
