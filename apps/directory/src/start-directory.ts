import { join } from "node:path";

import { connectionsMaxOf, HttpServer, RateLimits, SlowRequests } from "@meridian/http";
import {
  defaultsOf,
  DIRECTORY_OPTIONS,
  type DirectoryFlags,
  type DirectorySettings,
  type LogSettings,
} from "@meridian/options";
import type { Link, LinkEvents } from "@meridian/ports";
import { MeridianError, withoutTrailingSlashes } from "@meridian/protocol";
import { Directory, type FollowOptions } from "@meridian/replication";
import {
  Metrics,
  silentLogger,
  systemClock,
  systemRandom,
  type Clock,
  type Logger,
  type Random,
} from "@meridian/runtime";
import { Security } from "@meridian/security";
import { DATABASE_NAMES, type StoreTuning } from "@meridian/store";
import { dialLink, linkCuts, type LinkCuts } from "@meridian/transport";

import { DirectoriesBeside } from "./beside.ts";
import { placeOf, wordOf } from "./identity.ts";
import { LogHealth } from "./log-health.ts";
import { learnRevocations } from "./log-pages.ts";
import { IN_FOLDER, isInStream, openLog, type OpenLog } from "./open-log.ts";
import { answerOperation, operationsOf } from "./operations.ts";
import { serve, type Changing, type MachineListeners, type Settled } from "./serve.ts";
import { notRunning, serveBeside, type Running } from "./serve-beside.ts";
import { streamEvents } from "./stream-events.ts";

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
  /**
   * Told once if another directory writes the log. This one serves nodes `beside` it then, until it takes over. The promise of `startDirectory` stays
   * open meanwhile.
   */
  readonly onStandby?: (beside: RunningDirectory) => void;
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
  const beside = new DirectoriesBeside(wordOf(options), clock);
  const settled = { ...options, clock, random, security, metrics, place, beside };
  const changing = changingOf(settled);
  const reload: RunningDirectory["reload"] = (changed) => {
    if (changed !== undefined) change({ ...changing, server, logger }, changed);
    return security.reload(changed);
  };
  let opened: OpenLog;
  const running = notRunning();
  const health = new LogHealth(logger, isInStream(options));
  const { onDamaged } = health;
  const parts = { ...settled, ...changing };
  let isWatched = false;
  const watch = (): void => {
    if (!isWatched) watchSecurity(security, server, running, clock);
    isWatched = true;
  };
  try {
    checkPeers(dials, url);
    const path = join(options.data, DATABASE_NAMES.directory);
    const expiryNowMs = (): number | undefined => running.directory?.clocks.confirmedNowMs;
    const store = { path, durability, clock, expiryNowMs, random, logger, tuning, onDamaged };
    const events = streamEvents(options, server, running, reload);
    opened = await openLog({
      ...options,
      store,
      ...events,
      onConnected: (wire) => beside.start(wire),
      serveBeside: serveBeside(parts, { server, health, running, watch }),
    });
  } catch (failure) {
    beside.stop();
    await server.close(0);
    throw failure;
  }
  await security.learn((revocations) => learnRevocations(opened.state, revocations));
  warnOfHorizon(options);
  const stop = serveAsWriter(parts, { server, opened, health, running });
  watch();
  logger.info(`listening on ${url}`, { cluster: options.cluster, epoch: opened.log.epoch });
  let stopped: Promise<void> | undefined;
  return {
    url,
    reload,
    stop: () => (stopped ??= stop()),
  };
}

function warnOfHorizon({ horizon: horizonMs, logger }: Pick<Settled, "horizon" | "logger">): void {
  if (horizonMs >= SHORT_HORIZON_MS) return;
  const said = "deletes are remembered for so short a time as only drills need it";
  logger.warn(said, { horizonMs });
}

/** Watches certificates, tokens, and until when all revocations are known. */
function watchSecurity(
  security: Security,
  server: HttpServer,
  running: Running,
  clock: Clock,
): void {
  security.watch(
    (certificate) => server.reload(certificate),
    () => (running.directory?.isWhole === true ? clock.nowMs() : undefined),
  );
}

/** Serves as the directory that orders the log. What has served nodes beside another one ends then, and its nodes come back. */
function serveAsWriter(
  options: Settled & Changing,
  parts: {
    readonly server: HttpServer;
    readonly opened: OpenLog;
    readonly health: LogHealth;
    readonly running: Running;
  },
): () => Promise<void> {
  const { server, opened, running } = parts;
  const { security, logger, cluster } = options;
  const cuts = linkCuts(options);
  const { leave } = running;
  let directory: Directory | undefined;
  const make = (listeners: MachineListeners): Directory => {
    directory = new Directory({ ...machineOptions(options, opened.log, cuts), ...listeners });
    return directory;
  };
  const made = (): Directory => {
    if (directory === undefined) throw new Error("Expected `serve` to make a machine");
    return directory;
  };
  const stop = serve(options, { ...parts, cuts, make, operations: () => operationsOf(made()) });
  const machine = made();
  running.directory = machine;
  const endLinks = opened.takeLinks({
    accept: (link, address, feed) => machine.accept(link, address, feed),
    registry: () => machine.registry,
    ask: (text) => answerOperation(operationsOf(machine), text),
  });
  void leave?.();
  return async () => {
    logger.info("stopping", { cluster });
    security.stop();
    options.beside.stop();
    // The nodes of other directories stay with these, and go on with the next writer.
    endLinks();
    await stop(() => server.close(GRACE_MS));
    await opened.close();
  };
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

/** What the directory machine is given, but for whom it tells of what happens. */
function machineOptions(options: Settled, log: OpenLog["log"], cuts: LinkCuts) {
  const { cluster, clock, logger, metrics } = options;
  return {
    cluster,
    log,
    clock,
    logger,
    metrics,
    sharesLog: options.log !== null && options.log !== IN_FOLDER,
    follow: followOptions(options, cuts),
    limits: { horizonMs: options.horizon },
    defer: (callback: () => void) => void setImmediate(callback),
  };
}

function changingOf(options: Settled): Changing {
  const { clock, logger, slowRequest, lagMax } = options;
  const slow = new SlowRequests(clock, logger, slowRequest ?? Infinity);
  return { slow, lag: { maxMs: lagMax }, limits: rateLimitsOf(options) };
}

function rateLimitsOf({ rateLimit, rateBurst, ...options }: Settled): RateLimits {
  return new RateLimits({ ...options, perSecond: rateLimit, burst: rateBurst });
}

/** How to dial the other directories. */
function followOptions(options: Settled, cuts: LinkCuts): FollowOptions {
  const { peer, random, logger, security } = options;
  const peers = (peer ?? []).map((name) => ({
    name,
    dial: (events: LinkEvents): Link =>
      dialLink(`${withoutTrailingSlashes(name)}/replicate`, events, {
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
