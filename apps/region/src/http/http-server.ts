import { createServer, STATUS_CODES, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";

import { MeridianError } from "@meridian/protocol";

import type { Answer } from "./answers.ts";
import type { RequestListener } from "./request-listener.ts";

/** Longer than the idle time of common proxies and clients, so that it is they who close a connection. */
const KEEP_ALIVE_MS = 65_000;

/** What is answered to bytes that the parser stumbled over, as `cause` says. */
export type Refuse = (cause: NodeJS.ErrnoException) => Answer;

/** An HTTP server that listens. */
export interface HttpServer {
  readonly port: number;
  /** Where it is reached from this machine. */
  readonly url: string;
  /**
   * Sets what answers requests, and what bytes that are no request are answered; called before the first
   * can have come.
   */
  listener(listener: RequestListener, refuse: Refuse): void;
  /** Stops listening and cuts every connection. */
  close(): Promise<void>;
}

/** Starts to listen; port 0 takes a free one. Rejects with `ADDRESS_IN_USE` and `INVALID_CONFIG`. */
export function listenHttp(host: string, port: number): Promise<HttpServer> {
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS });
  return new Promise((resolve, reject) => {
    server.on("error", (cause: NodeJS.ErrnoException) => reject(startError(cause, host, port)));
    server.listen(port, host, () => {
      const address = server.address() as AddressInfo;
      resolve({
        port: address.port,
        url: `http://${host.includes(":") ? `[${host}]` : host}:${address.port}`,
        listener: (listener, refuse) => {
          server.on("request", listener);
          server.on("clientError", (cause, socket) => refuseBytes(socket, refuse(cause)));
          // Without a listener the server invites every body, however large.
          server.on("checkContinue", (incoming, outgoing) => {
            listener(incoming, outgoing);
            // A refusal is sent in a microtask.
            setImmediate(() => {
              if (!outgoing.headersSent && !outgoing.destroyed) outgoing.writeContinue();
            });
          });
        },
        close: () => closeServer(server),
      });
    });
  });
}

/** Writes an answer where there is no `ServerResponse` to do it. */
function refuseBytes(socket: Duplex, { status, headers, body }: Answer): void {
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

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

function startError(cause: NodeJS.ErrnoException, host: string, port: number): MeridianError {
  if (cause.code === "EADDRINUSE") {
    return new MeridianError(
      "ADDRESS_IN_USE",
      `Expected ${host}:${port} to be free, but another program listens there; stop it or choose another \`--port\``,
      { cause },
    );
  }
  return new MeridianError(
    "INVALID_CONFIG",
    `Expected to be able to listen on ${host}:${port}, got ${cause.code ?? cause.message}`,
    { cause },
  );
}
