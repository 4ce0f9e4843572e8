/** A node's service over HTTP, and over the WebSockets that begin there. */
import {
  EventStreams,
  HeldBytes,
  HistoryNews,
  HttpServer,
  limitAddresses,
  limitReads,
  limitWrites,
  OriginPolicy,
  RateLimits,
  refusalOf,
  RequestLimit,
  RequestTimes,
  SlowRequests,
  type Authenticator,
  type Certificate,
  type HttpServerOptions,
  type Rate,
  type TlsTrust,
} from "@meridian/http";
import { MeridianError, type AllowedOrigins } from "@meridian/protocol";
import { SOCKET_PATH } from "@meridian/protocol/socket-api";
import { History, type Clock, type Logger } from "@meridian/runtime";

import { REGION_LINES } from "../../history-lines.ts";
import type { RegionService } from "../../service/region-service.ts";
import type { Listener, ServedNode } from "../listener.ts";
import { SocketListener } from "../ws/socket-listener.ts";
import { answerStyle } from "./answers.ts";
import { BatchBodies } from "./batch-bodies.ts";
import { batchBytesMax } from "./batch-routes.ts";
import { DirectoryView } from "./directory-view.ts";
import type { HttpNode } from "./exchange.ts";
import { regionApp, regionGate } from "./region-app.ts";
import { regionRequests } from "./region-requests.ts";
import { Tickets } from "./tickets.ts";

/** What bodies of requests may take that are being read, in bytes: at least two of the largest. */
const BODY_BYTES_MAX = 128 * 1024 * 1024;

const STARTING = new MeridianError("NODE_SYNCING", "The node is still putting itself together");

/** How a listener is made. */
export interface HttpListenerOptions extends Omit<HttpServerOptions, "starting"> {
  readonly logger: Logger;
  /** What is told of requests that take long. Default: nothing. */
  readonly slow?: SlowRequests;
  /** The origins of web pages that may ask, beside its own. */
  readonly allowOrigin: AllowedOrigins;
  /** Tells what tokens grant; without it, everybody is answered. */
  readonly authenticator?: Authenticator | undefined;
  /** Requests a second for each token or address, and how many may come at once. Default: any number. */
  readonly rateLimit?: number | null;
  readonly rateBurst?: number | null;
  /** Where the console's files are; without it, there is no console. */
  readonly consoleFolder?: string | undefined;
  /** What is trusted and shown where the directory is asked for a page. Default: what the platform trusts. */
  readonly trust?: () => TlsTrust;
  /** Whether tokens may be shown over plain HTTP to a directory on another machine. Default: they may not. */
  readonly insecureNoTls?: boolean;
  /** Answers everything through the app. For tests that compare the two. */
  readonly appOnly?: boolean;
  /** Whether plain requests are answered below node:http. Default: true. For tests that compare the two. */
  readonly plainReads?: boolean;
}

/** Answers HTTP requests from a node. */
export class HttpListener implements Listener {
  readonly #options: HttpListenerOptions;
  readonly #server: HttpServer;
  readonly #limit: RequestLimit;
  readonly #limits: RateLimits;
  #sockets: SocketListener | undefined;
  #streams: EventStreams | undefined;
  #history: HistoryNews | undefined;
  #connectionsMax: number;

  constructor(options: HttpListenerOptions) {
    this.#options = options;
    this.#connectionsMax = options.connectionsMax;
    const server = new HttpServer({ ...options, starting: STARTING });
    this.#server = server;
    this.#limit = new RequestLimit(options.metrics, () => server.cuts.tell("request"));
    const { rateLimit = null, rateBurst = null } = options;
    this.#limits = new RateLimits({ ...options, perSecond: rateLimit, burst: rateBurst });
  }

  /** Takes the address, as `HttpServer.listen` does. */
  listen(host: string, port: number): Promise<void> {
    return this.#server.listen(host, port);
  }

  /** Takes another certificate, as `HttpServer.reload` does. */
  reload(certificate: Certificate): void {
    this.#server.reload(certificate);
  }

  /** Allows each token or address another rate from here on. */
  changeRate(rate: Rate): void {
    this.#limits.change(rate);
  }

  /** Takes so many connections at most from here on, and half as many WebSockets. */
  boundConnections(max: number): void {
    this.#connectionsMax = max;
    this.#server.boundConnections(max);
    if (this.#sockets !== undefined) this.#sockets.socketsMax = socketsMaxOf(max);
  }

  get url(): string {
    return this.#server.url;
  }

  get port(): number {
    return this.#server.port;
  }

  get requests(): number {
    return this.#limit.active + (this.#sockets?.requests ?? 0);
  }

  start(served: ServedNode): void {
    const { allowOrigin, clock, logger, metrics, appOnly = false } = this.#options;
    const { plainReads = true } = this.#options;
    const { slow = new SlowRequests(clock, logger) } = this.#options;
    const origins = new OriginPolicy(allowOrigin, this.#server.ownUrls);
    const streams = new EventStreams({ clock, metrics });
    const history = this.#historyOf(streams);
    history.start();
    const { consoleFolder } = this.#options;
    const beside = { ...this.#options, origins, streams, history };
    const node = { ...httpNode(served, beside), consoleFolder };
    const app = regionApp(node, logger);
    const { authenticator } = this.#options;
    const [limit, limits] = [this.#limit, this.#limits];
    const times = new RequestTimes(clock, metrics);
    const parts = { style: node.style, limit, limits, times, clock, logger, slow };
    const { request, plain } = regionRequests({ ...parts, node, app, appOnly });
    const gate = authenticator && regionGate(authenticator, { ...parts, tickets: node.tickets });
    const socketsMax = socketsMaxOf(this.#connectionsMax);
    const { service } = node;
    const sockets = new SocketListener({ ...parts, service, metrics, authenticator, socketsMax });
    this.#sockets = sockets;
    this.#streams = streams;
    this.#history = history;
    this.#server.handle({
      request: gate?.guard(request) ?? limitAddresses(request, parts),
      sockets: { [SOCKET_PATH]: sockets.upgrade },
      ...(plainReads &&
        plain && {
          read: gate?.guardReads(plain.read) ?? limitReads(plain.read, limits),
          write: gate?.guardWrites(plain.write) ?? limitWrites(plain.write, limits),
        }),
      refuse: (error) => refusalOf(node.style, error),
    });
  }

  #historyOf(streams: EventStreams): HistoryNews {
    const { clock, metrics, logger } = this.#options;
    const history = new History({ lines: REGION_LINES, metrics, clock });
    return new HistoryNews({ history, streams, logger });
  }

  async drain(): Promise<void> {
    this.#history?.stop();
    await this.#streams?.close();
    await this.#sockets?.drain();
    await new Promise<void>((resolve) => this.#limit.onIdle(resolve));
  }

  async stop(): Promise<void> {
    await this.#sockets?.stop();
    await this.#server.close(0);
  }
}

/** A node with what its HTTP needs beside it. */
export function httpNode(
  served: ServedNode,
  {
    origins,
    clock,
    streams,
    history,
    trust = () => ({}),
    insecureNoTls: insecure = false,
  }: {
    readonly origins: OriginPolicy;
    readonly clock: Clock;
    readonly streams: EventStreams;
    readonly history: HistoryNews;
  } & Pick<HttpListenerOptions, "trust" | "insecureNoTls">,
): HttpNode {
  const { service, contents, metrics, backups } = served;
  const directoryUrl = (): string | null => served.directoryUrl;
  return {
    service,
    contents,
    metrics,
    backups,
    get directoryUrl() {
      return served.directoryUrl;
    },
    report: () => served.report(),
    style: answerStyle(service, origins),
    bodies: new HeldBytes({
      name: "bodyBytes",
      what: "bodies that are being read",
      max: bodyBytesMax(service),
      clock,
      metrics,
    }),
    streams,
    history,
    clock,
    tickets: new Tickets(clock, metrics),
    directoryView: new DirectoryView({
      directoryUrl,
      streams,
      clock,
      metrics,
      trust,
      insecure,
    }),
    batches: new BatchBodies(metrics, 4 * batchBytesMax(service)),
  };
}

/** Half of the connections may be WebSockets; the other half is for who asks without one. */
function socketsMaxOf(connectionsMax: number): number {
  return Math.max(1, Math.floor(connectionsMax / 2));
}

function bodyBytesMax({ writes }: RegionService): number {
  return Math.max(BODY_BYTES_MAX, 4 * writes.valueBytesMax);
}
