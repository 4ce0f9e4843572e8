import type { LinkEvents } from "@meridian/ports";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";

import { MeridianError, PROBLEM_CONTENT_TYPE, toProblem, type ErrorCode } from "@meridian/protocol";
import type { Clock, Metrics } from "@meridian/runtime";
import { WebSocketServer } from "ws";

import { plainAddress } from "./address.ts";
import { Doorway, type Place } from "./doorway.ts";
import { FAULTS } from "./link-cuts.ts";
import { LinkBytes } from "./link-bytes.ts";
import { ReadTurns } from "./read-turns.ts";
import {
  acceptLink,
  type AcceptedSocket,
  SOCKET_OPTIONS,
  type LinkOptions,
  type SocketLink,
  type WebSocketLink,
} from "./web-socket-link.ts";

/** How an HTTP server's upgrades become links. */
export interface LinkListenerOptions extends LinkOptions {
  /** The one path that links are accepted on, such as `/replicate`. Others are answered with 404. */
  readonly path: string;
  readonly clock: Clock;
  /** Called with a new link, the address that its peer connects from, and the upgrade request. Returns the listener of the link. */
  readonly accept: (
    link: WebSocketLink,
    remoteAddress: string,
    request: IncomingMessage,
  ) => LinkEvents;
  /** What may be held for all links together, in bytes. Default: 256 MiB. */
  readonly heldBytesMax?: number;
  /** Where this listener registers how full its buffers are. */
  readonly metrics: Metrics;
}

const CROWDED = new MeridianError(
  "OVERLOADED",
  "Expected a connection to wait for a moment until it becomes a link, but too many do, or it has for too long",
);

/** The server end of links: takes the `upgrade` events of an HTTP server. */
export class LinkListener {
  readonly #options: LinkListenerOptions;
  readonly #server = new WebSocketServer({ ...SOCKET_OPTIONS, noServer: true });

  readonly #bytes: LinkBytes;
  readonly #turns = new ReadTurns();
  readonly #doorway: Doorway;

  constructor(options: LinkListenerOptions) {
    this.#options = options;
    this.#bytes = new LinkBytes(options.clock, options.metrics, options.heldBytesMax);
    this.#doorway = new Doorway(options.clock);
    options.metrics.level(() => [{ name: "linksWaiting", ...this.#doorway.waiting }]);
  }

  /** The listener to register for `upgrade`. */
  readonly upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    // Errors of a refused connection are of no interest.
    socket.on("error", () => {});
    const [path] = (request.url ?? "").split("?");
    if (path !== this.#options.path) return refuse(socket, "404 Not Found");
    const address = plainAddress(request.socket.remoteAddress);
    let link: SocketLink | undefined;
    const leave = this.#doorway.come(address, {
      enter: (place) => {
        socket.once("close", () => place.onGone());
        this.#server.handleUpgrade(request, socket, head, (webSocket) => {
          link = this.#accept({ socket: webSocket, wire: socket }, request, place);
        });
      },
      makeRoom: () => {
        const said = "Expected a greeting at once where others wait, got none";
        link?.cut(new MeridianError("LEASE_EXPIRED", said));
        socket.destroy();
      },
      refuse: () => refuse(socket, "503 Service Unavailable", JSON.stringify(toProblem(CROWDED))),
    });
    socket.once("close", leave);
  };

  #accept(accepting: AcceptedSocket, request: IncomingMessage, place: Place): SocketLink {
    const remoteAddress = plainAddress(request.socket.remoteAddress);
    const watch = {
      answered: (): void => place.free(),
      parted: (code: ErrorCode): void => {
        if (FAULTS.has(code)) place.takeAgain();
        else place.free();
      },
    };
    return acceptLink(
      accepting,
      (accepted) => this.#options.accept(accepted, remoteAddress, request),
      { ...this.#options, turns: this.#turns, bytes: this.#bytes, watch },
    );
  }

  /** Closes all links with 1001. The peers have two seconds to agree, then their connections are cut. */
  stop(): void {
    this.#doorway.close();
    for (const client of this.#server.clients) client.close(1001);
    this.#server.close();
  }
}

function refuse(socket: Duplex, status: string, body = ""): void {
  const length = `Content-Length: ${Buffer.byteLength(body)}`;
  const type = `Content-Type: ${PROBLEM_CONTENT_TYPE}`;
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\n${type}\r\n${length}\r\n\r\n${body}`);
}
