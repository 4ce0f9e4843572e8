import type { LinkEvents } from "@meridian/ports";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";

import type { Metrics } from "@meridian/runtime";
import { WebSocketServer, type WebSocket } from "ws";

import { plainAddress } from "./address.ts";
import { ReadTurns } from "./read-turns.ts";
import { ReceiveBudget } from "./receive-budget.ts";
import {
  acceptLink,
  SOCKET_OPTIONS,
  type LinkOptions,
  type SocketLink,
  type WebSocketLink,
} from "./web-socket-link.ts";

/** How an HTTP server's upgrades become links. */
export interface LinkListenerOptions extends LinkOptions {
  /** The one path that links are accepted on, such as `/replicate`. Others are answered with 404. */
  readonly path: string;
  /** Takes a new link and the address its peer is seen from, and returns who listens to it. */
  readonly accept: (link: WebSocketLink, remoteAddress: string) => LinkEvents;
  /** What messages may take that have begun and not yet arrived whole, on all links, in bytes. Default: 256 MiB. */
  readonly receiveBytesMax?: number;
  /** Is told how full what this end keeps for its links is. */
  readonly metrics: Metrics;
}

/** The server end of links: takes the `upgrade` events of an HTTP server. */
export class LinkListener {
  readonly #options: LinkListenerOptions;
  readonly #server = new WebSocketServer({ ...SOCKET_OPTIONS, noServer: true });

  readonly #receiving: ReceiveBudget;
  readonly #turns = new ReadTurns();

  constructor(options: LinkListenerOptions) {
    this.#options = options;
    const receiving = new ReceiveBudget(options.receiveBytesMax);
    this.#receiving = receiving;
    options.metrics.level(() => [
      { name: "linkReceiveBytes", now: receiving.now, max: receiving.max },
    ]);
  }

  /** The listener to register for `upgrade`. */
  readonly upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    // Whatever happens to a refused connection concerns nobody.
    socket.on("error", () => {});
    const [path] = (request.url ?? "").split("?");
    if (path !== this.#options.path) {
      refuse(socket);
      return;
    }
    this.#server.handleUpgrade(request, socket, head, (webSocket) => {
      this.#accept(webSocket, socket, plainAddress(request.socket.remoteAddress));
    });
  };

  #accept(socket: WebSocket, wire: Duplex, remoteAddress: string): void {
    const link: SocketLink = acceptLink(
      { socket, wire },
      (accepted) => this.#options.accept(accepted, remoteAddress),
      { ...this.#options, turns: this.#turns },
    );
    const receiving = this.#receiving.follow(wire, (error) => link.cut(error));
    socket.on("message", () => receiving.onMessage());
    socket.on("close", () => receiving.end());
  }

  /** Closes all links with 1001. The peers have two seconds to agree, then their connections are cut. */
  stop(): void {
    for (const client of this.#server.clients) client.close(1001);
    this.#server.close();
  }
}

function refuse(socket: Duplex): void {
  socket.end("HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
}
