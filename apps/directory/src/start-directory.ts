import { join } from "node:path";

import {
  connectionsMaxOf,
  EventStreams,
  HistoryNews,
  HttpServer,
  isLoopback,
  OriginPolicy,
  principalOf,
  RateLimits,
  RequestLimit,
  SlowRequests,
  type TlsTrust,
} from "@meridian/http";
import {
  defaultsOf,
  DIRECTORY_OPTIONS,
  type DirectoryFlags,
  type DirectorySettings,
  type LogSettings,
} from "@meridian/options";
import type { Link, LinkEvents } from "@meridian/ports";
import type { DirectorySays } from "@meridian/doctor";
import { MeridianError, type Coordinates } from "@meridian/protocol";
import { Directory, type AbsentMember, type FollowOptions } from "@meridian/replication";
import {
  History,
  Metrics,
  silentLogger,
  systemClock,
  systemRandom,
  type Clock,
  type Logger,
  type Random,
} from "@meridian/runtime";
import { registerSecurity, Security } from "@meridian/security";
import { DATABASE_NAMES, LiveBackup, registerStore, type StoreTuning } from "@meridian/store";
import { registerBuild, registerProcess } from "@meridian/supervision";
import {
  dialLink,
  LINK_BYTES_MAX,
  linkCuts,
  type LinkCuts,
  LinkListener,
} from "@meridian/transport";

import { directoryHandlers } from "./http/directory-listener.ts";
import { DIRECTORY_LINES } from "./history-lines.ts";
import type { DirectoryService } from "./http/directory-service.ts";
import { identityOf, placeOf } from "./identity.ts";
import { LinkTokens } from "./link-tokens.ts";
import { dataOf } from "./log-data.ts";
import { LogHealth } from "./log-health.ts";
import { learnRevocations } from "./log-pages.ts";
import { NodeNews } from "./http/node-news.ts";
import type { NodeProgress } from "./http/node-progress.ts";
import { nodesBody, type NodeSource } from "./http/nodes.ts";
import { statusOf } from "./http/status.ts";
import { NodeRegistry } from "./node-registry.ts";
import { openLog, type OpenLog } from "./open-log.ts";
import { streamEvents } from "./stream-events.ts";
import { programVersion } from "./version.ts";
import { NodeViews } from "./views/node-views.ts";
import { Troubles } from "./views/troubles.ts";

/** How a directory is started: as its flags say, with their defaults for what is not given. */
export interface DirectoryOptions extends Omit<
  DirectorySettings,
  "clusterFile" | keyof LogSettings
> {
  /** Default: one that says nothing. */
  readonly logger?: Logger;
  /** Default: those of the platform. */
  readonly clock?: Clock;
  readonly random?: Random;
  /** Bounds of the log's store that few have to touch. */
  readonly tuning?: Partial<StoreTuning>;
  /** Told when the log cannot be written any more. The process is to end, and its supervisor to start it anew. */
  readonly onFatal?: (failure: MeridianError) => void;
  /** Told once if another directory writes the log, so that this one stands by, and answers nobody until it takes over. */
  readonly onStandby?: () => void;
}

/** The options that may change while a directory runs, the log's left out. */
type Changeable = Pick<
  DirectoryFlags,
  "slowRequest" | "lagMax" | "rateLimit" | "rateBurst" | "connectionsMax" | "tokenAgeMax"
>;

/** A directory that runs. */
export interface RunningDirectory {
  /** Where it is reached from this machine. */
  readonly url: string;
  /** Reads certificates and tokens again, and tells the log what came of it; takes on what options say now. Open connections go on. */
  reload(changed?: Changeable): Promise<void>;
  /**
   * Refuses new requests, lets those under way finish for a second, says goodbye to the nodes and closes the
   * log. Calling it again returns the same promise.
   */
  stop(): Promise<void>;
}

const LINK_PATH = "/replicate";

/** Connections on which no answer comes are cut this long after the stop, in milliseconds. */
const GRACE_MS = 1_000;

const STARTING = new MeridianError(
  "DIRECTORY_UNREACHABLE",
  "The directory is still opening its log",
);

/** With a horizon below this, a node that is down for a while finds its data in the quarantine. */
const SHORT_HORIZON_MS = 3_600_000;

/**
 * Starts a directory. Resolves once it answers.
 * Rejects with `INVALID_CONFIG` (also where it is to follow itself), `ADDRESS_IN_USE`, and what opening the log throws.
 */
export async function startDirectory(given: DirectoryOptions): Promise<RunningDirectory> {
  const options = { ...defaultsOf(DIRECTORY_OPTIONS), logger: silentLogger, ...given };
  const { clock = systemClock, random = systemRandom, logger, durability } = options;
  const tuning = { expiredGraceMs: options.expiredGrace, ...options.tuning };
  const connectionsMax = connectionsMaxOf(options.connectionsMax, logger);
  const dials = options.peer ?? [];
  const place = placeOf(options);
  const security = await Security.open({ flags: options, dials, clock, logger });
  const metrics = new Metrics();
  const server = new HttpServer({
    clock,
    metrics,
    logger,
    connectionsMax,
    allowHost: options.allowHost ?? [],
    starting: STARTING,
    ...security.serving,
  });
  // The address first: a directory that cannot have it must not begin a new epoch of the log.
  await server.listen(options.host, options.port);
  const { url } = server;
  let opened: OpenLog;
  const running: Running = { directory: undefined };
  const health = new LogHealth(logger);
  const { onDamaged } = health;
  try {
    checkPeers(dials, url);
    const path = join(options.data, DATABASE_NAMES.directory);
    const expiryNowMs = (): number | undefined => running.directory?.clocks.confirmedNowMs;
    const store = { path, durability, clock, expiryNowMs, random, logger, tuning, onDamaged };
    opened = await openLog({ ...options, store, ...streamEvents(options, server, running) });
  } catch (failure) {
    await server.close(0);
    throw failure;
  }
  await security.learn((revocations) => learnRevocations(opened.state, revocations));
  if (options.horizon < SHORT_HORIZON_MS) {
    logger.warn("deletes are remembered for so short a time as only drills need it", {
      horizonMs: options.horizon,
    });
  }
  const settled = { ...options, clock, random, security, metrics, place };
  const changing: Changing = {
    slow: new SlowRequests(clock, logger, options.slowRequest ?? Infinity),
    lag: { maxMs: options.lagMax },
    limits: rateLimitsOf(settled),
  };
  const stop = serve({ ...settled, ...changing }, server, opened, health, running);
  security.watch(
    (certificate) => server.reload(certificate),
    () => (running.directory?.isWhole === true ? clock.nowMs() : undefined),
  );
  logger.info(`listening on ${url}`, { cluster: options.cluster, epoch: opened.log.epoch });
  let stopped: Promise<void> | undefined;
  return {
    url,
    reload: (changed) => {
      if (changed !== undefined) change({ ...changing, server, logger }, changed);
      return security.reload(changed);
    },
    stop: () => (stopped ??= stop()),
  };
}

/** The directory machine, once it has been made. The log is opened first, and asks the machine for the time later. */
interface Running {
  directory: Directory | undefined;
}

/** The options after defaults. */
type Settled = DirectoryOptions &
  Omit<DirectoryFlags, "clusterFile" | keyof LogSettings> & {
    readonly clock: Clock;
    readonly random: Random;
    readonly logger: Logger;
    readonly security: Security;
    readonly metrics: Metrics;
    readonly place: Coordinates | undefined;
  };

/** What may change while it runs. */
interface Changing {
  readonly slow: SlowRequests;
  readonly lag: { maxMs: number };
  readonly limits: RateLimits;
}

function change(
  parts: Changing & { readonly server: HttpServer; readonly logger: Logger },
  { slowRequest, lagMax, rateLimit, rateBurst, connectionsMax }: Changeable,
): void {
  const { slow, lag, limits, server, logger } = parts;
  slow.thresholdMs = slowRequest ?? Infinity;
  lag.maxMs = lagMax;
  limits.change({ perSecond: rateLimit, burst: rateBurst });
  server.boundConnections(connectionsMaxOf(connectionsMax, logger));
}

/** Connects the parts on a listening server and an open log. Returns the function that stops them. */
function serve(
  options: Settled & Changing,
  server: HttpServer,
  opened: OpenLog,
  health: LogHealth,
  running: Running,
): () => Promise<void> {
  const { cluster, clock, logger, metrics, security, onFatal, slow, lag } = options;
  const { log, state } = opened;
  const cuts = linkCuts(options);
  const startedAtMs = clock.nowMs();
  let leaving: MeridianError | undefined;
  const directory = new Directory({
    ...machineOptions(options, log, cuts),
    onMembers: () => nodes.changed(),
    onReserved: (entries) => security.revocations.take(entries),
    onFatal: (failure) => {
      leaving = goingAway(`The log cannot be written: ${failure.message}`);
      onFatal?.(failure);
    },
  });
  running.directory = directory;
  const nodes = newsOf(directory, options);
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
  return async () => {
    logger.info("stopping", { cluster });
    security.stop();
    leaving ??= goingAway("The directory is shutting down");
    endMeasuring();
    directory.stop();
    links.stop();
    await nodes.close();
    await server.close(GRACE_MS);
    await backups.stop();
    await opened.close();
  };
}

/** What the directory machine is given, but for whom it tells of what happens. */
function machineOptions(options: Settled, log: OpenLog["log"], cuts: LinkCuts) {
  const { cluster, clock, logger, metrics } = options;
  return {
    cluster,
    log,
    clock,
    logger,
    metrics,
    follow: followOptions(options, cuts),
    limits: { horizonMs: options.horizon },
    defer: (callback: () => void) => void setImmediate(callback),
  };
}

/** Makes the parts that send events: of nodes, and of the directory's own numbers. */
function newsOf(directory: Directory, { clock, metrics, logger }: Settled) {
  const registry = new NodeRegistry(directory, clock);
  const source: NodeSource = {
    registry,
    absent: () => directory.absent,
    forget: (id) => forgetNode(directory, id).finally(() => news.changed()),
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

function rateLimitsOf({ rateLimit, rateBurst, ...options }: Settled): RateLimits {
  return new RateLimits({ ...options, perSecond: rateLimit, burst: rateBurst });
}

function backupsOf({ data, clock, random, logger }: Settled): LiveBackup {
  const path = join(data, DATABASE_NAMES.directory);
  const version = programVersion();
  const backups = new LiveBackup({ path, kind: "directory", version, clock, random, logger });
  backups.clear();
  return backups;
}

function forgetNode(directory: Directory, id: string): Promise<AbsentMember> {
  return new Promise((resolve, reject) => {
    const member = directory.forget(id, (failure) =>
      failure === undefined ? resolve(member) : reject(failure),
    );
  });
}

/** Accepts links, and watches their tokens. */
function linksOf(
  directory: Directory,
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

/** How to dial the other directories. */
function followOptions(options: Settled, cuts: LinkCuts): FollowOptions {
  const { peer, random, logger, security } = options;
  const peers = (peer ?? []).map((name) => ({
    name,
    dial: (events: LinkEvents): Link =>
      dialLink(`${name.replace(/\/+$/, "")}/replicate`, events, {
        logger,
        cuts,
        credentials: security.dialing,
      }),
  }));
  return { random, peers };
}

/** Throws if the directory's own URL is among its peers. */
function checkPeers(peers: readonly string[], ownUrl: string): void {
  const own = peers.find((peer) => new URL(peer).origin === new URL(ownUrl).origin);
  if (own === undefined) return;
  throw new MeridianError(
    "INVALID_CONFIG",
    `Expected the URLs of other directories in --peer, got this one's own: ${own}`,
  );
}

function goingAway(why: string): MeridianError {
  return new MeridianError("GOING_AWAY", why);
}
