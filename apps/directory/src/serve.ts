/**
 * Connects what a directory consists of around its machine, whether that orders the log or serves nodes beside the directory that does.
 */
import { join } from "node:path";

import {
  EventStreams,
  HistoryNews,
  isLoopback,
  OriginPolicy,
  principalOf,
  RequestLimit,
  type HttpServer,
  type RateLimits,
  type SlowRequests,
  type TlsTrust,
} from "@meridian/http";
import type { DirectoryFlags, LogSettings } from "@meridian/options";
import type { DirectorySays } from "@meridian/doctor";
import type { Link, LinkEvents } from "@meridian/ports";
import { MeridianError, type Coordinates } from "@meridian/protocol";
import type { Directory, DirectoryOptions as MachineOptions } from "@meridian/replication";
import { History, type Clock, type Logger, type Metrics, type Random } from "@meridian/runtime";
import { registerSecurity, type Security } from "@meridian/security";
import { DATABASE_NAMES, LiveBackup, registerStore } from "@meridian/store";
import { registerBuild, registerProcess } from "@meridian/supervision";
import { LINK_BYTES_MAX, LinkListener, type LinkCuts } from "@meridian/transport";

import type { DirectoriesBeside } from "./beside.ts";
import { directoryHandlers } from "./http/directory-listener.ts";
import type { DirectoryService } from "./http/directory-service.ts";
import { NodeNews } from "./http/node-news.ts";
import type { NodeProgress } from "./http/node-progress.ts";
import { nodesBody, type NodeSource } from "./http/nodes.ts";
import { statusOf } from "./http/status.ts";
import { DIRECTORY_LINES } from "./history-lines.ts";
import { identityOf } from "./identity.ts";
import { LinkTokens } from "./link-tokens.ts";
import { dataOf } from "./log-data.ts";
import type { LogHealth } from "./log-health.ts";
import { NodeRegistry } from "./node-registry.ts";
import type { OpenLog } from "./open-log.ts";
import type { Operations } from "./operations.ts";
import type { DirectoryOptions } from "./start-directory.ts";
import { programVersion } from "./version.ts";
import { NodeViews } from "./views/node-views.ts";
import { Troubles } from "./views/troubles.ts";

const LINK_PATH = "/replicate";
/** What the parts around a machine use of it. */
export interface Machine extends Pick<
  Directory,
  | "accept"
  | "absent"
  | "info"
  | "isWhole"
  | "linkBytes"
  | "linked"
  | "members"
  | "notReady"
  | "release"
  | "start"
  | "stop"
> {
  readonly clocks: Pick<Directory["clocks"], "confirmedNowMs" | "nowMs">;
}

/** Whom a machine tells of what happens. */
export type MachineListeners = Required<
  Pick<MachineOptions, "onFatal" | "onMembers" | "onReserved">
>;

/** What a machine is connected with. */
export interface Served {
  readonly server: HttpServer;
  readonly opened: Pick<OpenLog, "log" | "state" | "snapshots">;
  readonly health: LogHealth;
  readonly cuts: LinkCuts;
  readonly make: (listeners: MachineListeners) => Machine;
  /** What an operator may ask of the machine that was made. */
  readonly operations: () => Operations;
  /** See `DirectoryService`. Default: it always knows. */
  readonly unheardMs?: () => number | undefined;
}

/** The options after defaults. */
export type Settled = DirectoryOptions &
  Omit<DirectoryFlags, "clusterFile" | keyof LogSettings> & {
    readonly clock: Clock;
    readonly random: Random;
    readonly logger: Logger;
    readonly security: Security;
    readonly metrics: Metrics;
    readonly place: Coordinates | undefined;
    readonly beside: DirectoriesBeside;
  };

/** What may change while it runs. */
export interface Changing {
  readonly slow: SlowRequests;
  readonly lag: { maxMs: number };
  readonly limits: RateLimits;
}

/**
 * Connects the parts on a listening server and an open log. Returns the function that stops them; what it is given is done once nobody is told
 * anything any more.
 */
export function serve(
  options: Settled & Changing,
  { server, opened, health, cuts, make, operations, unheardMs = () => undefined }: Served,
): (close?: () => Promise<void>) => Promise<void> {
  const { clock, logger, metrics, security, onFatal, slow, lag } = options;
  const { log, state } = opened;
  const startedAtMs = clock.nowMs();
  let leaving: MeridianError | undefined;
  const directory = make({
    onMembers: () => nodes.changed(),
    onReserved: (entries) => security.revocations.take(entries),
    onFatal: (failure) => {
      leaving = goingAway(`The log cannot be written: ${failure.message}`);
      onFatal?.(failure);
    },
  });
  const nodes = newsOf(directory, operations(), options);
  const links = linksOf(directory, options, cuts, nodes.news.progress);
  const backups = backupsOf(options);
  const service: DirectoryService = {
    ...nodes.source,
    ...dataOf(state, directory),
    ...identityOf(options),
    news: nodes.news,
    history: nodes.history,
    streams: nodes.streams,
    ...askingOf(options, nodes, { url: server.url, status: () => statusOf(service) }),
    backups,
    startedAtMs,
    lag,
    clock,
    logger,
    info: () => directory.info(),
    beside: () => options.beside.known,
    acceptLoss: () => operations().acceptLoss(),
    unheardMs,
    notReady: () => leaving ?? health.damage ?? directory.notReady,
    damage: () => health.damage,
    snapshots: () => opened.snapshots(),
    metrics,
    limit: new RequestLimit(metrics, () => server.cuts.tell("request")),
    limits: options.limits,
    slow,
    origins: new OriginPolicy(options.allowOrigin ?? [], server.ownUrls),
  };
  const endMeasuring = measure(options, { log, state }, health);
  directory.start();
  nodes.history.start();
  server.handle(directoryHandlers(service, { [LINK_PATH]: links.upgrade }, security.authenticator));
  return async (close = async () => {}) => {
    leaving ??= goingAway("The directory is shutting down");
    endMeasuring();
    directory.stop();
    links.stop();
    await nodes.close();
    await close();
    await backups.stop();
  };
}

/** Makes the parts that send events: of nodes, and of the directory's own numbers. */
function newsOf(directory: Machine, operations: Operations, { clock, metrics, logger }: Settled) {
  const registry = new NodeRegistry(directory, clock);
  const source: NodeSource = {
    registry,
    absent: () => directory.absent,
    forget: (id) => operations.forget(id).finally(() => news.changed()),
  };
  const streams = new EventStreams({ clock, metrics });
  const kept = new History({ lines: DIRECTORY_LINES, metrics, clock });
  const history = new HistoryNews({ history: kept, streams, logger });
  const peers = () => directory.info().peers;
  const news = new NodeNews({ source, peers, streams, clock, logger });
  const changed = (): void => {
    registry.changed();
    news.changed();
  };
  const close = (): Promise<void> => {
    history.stop();
    return streams.close();
  };
  return { source, streams, news, history, changed, close };
}

/** Makes the parts that ask other programs for the clients of this directory. */
function askingOf(
  {
    security,
    clock,
    metrics,
    host,
    allowHost,
    insecureNoTls: insecure,
    tlsClientCa,
    peer,
  }: Settled,
  { source, streams }: Pick<ReturnType<typeof newsOf>, "source" | "streams">,
  own: { readonly url: string; readonly status: () => DirectorySays },
): Pick<DirectoryService, "views" | "troubles"> {
  const trust = (): TlsTrust => {
    const { headers: _, cert, key, ...trusted } = security.dialing;
    // If a client certificate is demanded, the client has shown its own, so the directory may use its certificate for the client's request. Otherwise
    // it must not.
    return tlsClientCa === null ? trusted : { ...trusted, cert, key };
  };
  // Behind a proxy, others ask it under the proxy's name.
  const isProxied = (allowHost ?? []).length > 0;
  const isPrivate = !isProxied && (host === "localhost" || isLoopback(host));
  const parts = { trust, insecure, isPrivate, clock, metrics };
  const said = () => ({ status: own.status(), ...nodesBody(source) });
  return {
    views: new NodeViews({ ...parts, source, peers: peer ?? [], streams }),
    troubles: new Troubles({ ...parts, url: own.url, own: said }),
  };
}

/** Registers the metrics that belong to no part. Returns the function that ends the measuring. */
function measure(
  { metrics, clock, data, security }: Settled,
  { log, state }: Pick<OpenLog, "log" | "state">,
  health: LogHealth,
): () => void {
  registerStore(metrics, {
    path: join(data, DATABASE_NAMES.directory),
    stats: () => state.stats(),
    isShort: () => log.stall !== undefined,
    isDamaged: () => health.damage !== undefined,
  });
  registerSecurity(metrics, security);
  registerBuild(metrics, programVersion());
  return registerProcess(metrics, clock);
}

function backupsOf({ data, clock, random, logger }: Settled): LiveBackup {
  const path = join(data, DATABASE_NAMES.directory);
  const version = programVersion();
  const backups = new LiveBackup({ path, kind: "directory", version, clock, random, logger });
  backups.clear();
  return backups;
}

/** Accepts links, and watches their tokens. */
function linksOf(
  directory: Machine,
  { security, clock, logger, metrics }: Settled,
  cuts: LinkCuts,
  progress: NodeProgress,
): Pick<LinkListener, "upgrade" | "stop"> {
  metrics.level(() => [{ name: "linkBytes", now: directory.linkBytes, max: LINK_BYTES_MAX }]);
  const { authenticator } = security;
  const tokens = authenticator && new LinkTokens({ authenticator, clock, logger });
  const listener = new LinkListener({
    path: LINK_PATH,
    accept: (link, remoteAddress, request) => {
      const accept = (passed: Link): LinkEvents => directory.accept(passed, remoteAddress);
      const events = progress.through(link, accept);
      const principal = principalOf(request);
      if (tokens === undefined || principal === undefined) return events;
      const { authorization } = request.headers;
      return tokens.guard(link, events, { principal, authorization });
    },
    clock,
    logger,
    metrics,
    cuts,
  });
  tokens?.start();
  const stop = (): void => {
    tokens?.stop();
    listener.stop();
  };
  return { upgrade: listener.upgrade, stop };
}

function goingAway(why: string): MeridianError {
  return new MeridianError("GOING_AWAY", why);
}
