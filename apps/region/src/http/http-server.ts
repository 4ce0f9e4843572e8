import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

import { asMeridianError, MeridianError } from "@meridian/protocol";
import type { Clock, Gauge } from "@meridian/runtime";
import { HTTP_TIMEOUTS, HttpGuard, refuseConnection, type HttpTimeouts } from "@meridian/transport";

import { send, type Answer } from "./answers.ts";
import type { RequestListener } from "./request-listener.ts";

/** The answer to what is refused before there is a request to route. */
export type Refuse = (error: MeridianError) => Answer;

/** An HTTP server that listens. */
export interface HttpServer {
  readonly port: number;
  /** Where it is reached from this machine. */
  readonly url: string;
  /**
   * Sets what answers requests, and what is answered to connections that are too many, and to bytes that are no
   * request; called before the first can have come.
   */
  listener(listener: RequestListener, refuse: Refuse): void;
  /** How full what the server holds is. */
  gauges(): readonly Gauge[];
  /** Stops listening and cuts every connection. */
  close(): Promise<void>;
}

/** How a server is made. */
export interface HttpServerOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly clock: Clock;
  /** More connections are refused. */
  readonly connectionsMax: number;
  /** See `HttpGuardOptions`. */
  readonly answerBytesMax?: number;
  /** How long clients may take. */
  readonly timeouts?: Partial<HttpTimeouts>;
}

/** Starts to listen. Rejects with `ADDRESS_IN_USE` and `INVALID_CONFIG`. */
export function listenHttp(options: HttpServerOptions): Promise<HttpServer> {
  const { host, port } = options;
  const server = createServer({ ...HTTP_TIMEOUTS, ...options.timeouts });
  let refuse: Refuse = (error) => {
    throw error;
  };
  const guard = new HttpGuard(server, { ...options, refuse: (error) => refuse(error) });
  return new Promise((resolve, reject) => {
    server.on("error", (cause: NodeJS.ErrnoException) => reject(startError(cause, host, port)));
    server.listen(port, host, () => {
      const address = server.address() as AddressInfo;
      resolve({
        port: address.port,
        url: `http://${host.includes(":") ? `[${host}]` : host}:${address.port}`,
        listener: (listener, refuseWith) => {
          refuse = refuseWith;
          serve(server, guarded(guard, listener, refuseWith), refuseWith);
        },
        gauges: () => guard.gauges(),
        close: () => closeServer(server),
      });
    });
  });
}

/** Refuses requests while too many bytes of answers wait for clients that do not read. */
function guarded(guard: HttpGuard, listener: RequestListener, refuse: Refuse): RequestListener {
  return (incoming, outgoing) => {
    try {
      guard.checkAnswers();
    } catch (cause) {
      return send(outgoing, refuse(asMeridianError(cause)));
    }
    listener(incoming, outgoing);
  };
}

function serve(server: Server, listener: RequestListener, refuse: Refuse): void {
  server.on("request", listener);
  server.on("clientError", (cause, socket) => refuseConnection(cause, socket, refuse));
  // Without a listener the server invites every body, however large.
  server.on("checkContinue", (incoming, outgoing) => {
    listener(incoming, outgoing);
    // A refusal is sent in a microtask.
    setImmediate(() => {
      if (!outgoing.headersSent && !outgoing.destroyed) outgoing.writeContinue();
    });
  });
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
