import { join } from "node:path";

import { consoleFolder } from "@meridian/console";
import { connectionsMaxOf, SlowRequests, type TlsTrust } from "@meridian/http";
import {
  defaultsOf,
  REGION_OPTIONS,
  type LogSettings,
  type RegionFlags,
  type RegionSettings,
} from "@meridian/options";
import type { Dial } from "@meridian/ports";
import {
  checkCoordinates,
  checkIdentifier,
  parseAddress,
  parseWebOrigin,
  MeridianError,
  REVOCATION_PREFIX,
  withoutTrailingSlashes,
  type NodeStatus,
} from "@meridian/protocol";
import {
  Metrics,
  silentLogger,
  systemClock,
  systemRandom,
  type Clock,
  type Logger,
  type Random,
} from "@meridian/runtime";
import { registerSecurity, Security } from "@meridian/security";
import {
  DATABASE_NAMES,
  LiveBackup,
  openReplicaStore,
  registerStore,
  STORE_TUNING_DEFAULT,
  type SqliteReplicaStore,
  type StoreTuning,
} from "@meridian/store";
import { registerBuild, registerProcess } from "@meridian/supervision";
import type { Revocations } from "@meridian/tokens";
import { dialLink, linkCuts } from "@meridian/transport";

import { findDirectories, keepDirectories, type JoinOptions } from "./join.ts";
import { HttpListener } from "./listeners/http/http-listener.ts";
import { RegionNode, type RegionNodeOptions } from "./region-node.ts";
import { tellTraced } from "./traced-frames.ts";
import { throttledDial } from "./throttled-dial.ts";
import { programVersion } from "./version.ts";

/** How long a node that stops waits for the requests under way. */
const FINISH_MS = 5_000;

/** The node stops reading from the directory while more bytes than this wait to be stored. The bound for refusing its own writes is higher. */
const REMOTE_BACKLOG_BYTES_MAX = 32 * 1024 * 1024;

/** Expired values are looked for at most this often, in milliseconds. */
const SWEEP_EVERY_MS_MIN = 1_000;

/** How a regional node is started: as its flags say, with their defaults for what is not given. */
export interface RegionOptions extends Omit<
  RegionSettings,
  "clusterFile" | "directory" | keyof LogSettings
> {
  /** The URL of the directory, or those of several, the preferred one first. */
  readonly directory?: string | readonly string[];
  /** Default: one that says nothing. */
  readonly logger?: Logger;
  /** Default: those of the platform. */
  readonly clock?: Clock;
  readonly random?: Random;
  /** Called when nothing can be written any more. The process is to end: what is durable is there when it starts again. */
  readonly onFatal?: (failure: MeridianError) => void;
  /** Told of each change of the node's status. */
  readonly onStatus?: (status: NodeStatus) => void;
}

/** The options that may change while a region runs, the log's left out. */
type Changeable = Pick<
  RegionFlags,
  "slowRequest" | "rateLimit" | "rateBurst" | "connectionsMax" | "ttlDefault" | "tokenAgeMax"
>;

/** A regional node that runs. */
export interface RunningRegion {
  /** Where it is reached from this machine. */
  readonly url: string;
  readonly port: number;
  readonly status: NodeStatus;
  /** Reads certificates and tokens again, and tells the log what came of it; takes on what options say now. Open connections go on. */
  reload(changed?: Changeable): Promise<void>;
  /**
   * Refuses new requests, lets those under way finish for up to 5 seconds, offers the directory what it
   * has not taken yet, and closes everything. Calling it again returns the same promise.
   */
  stop(): Promise<void>;
}

/**
 * Starts a regional node. Resolves once it listens; it serves when its status is `ready` or `standalone`.
 * Rejects with `INVALID_CONFIG`, `INVALID_ARGUMENT` or `INVALID_COORDINATES` for a place that no directory would take, `ADDRESS_IN_USE`, and what opening the store throws.
 */
export async function startRegion(given: RegionOptions): Promise<RunningRegion> {
  const options = { ...defaultsOf(REGION_OPTIONS), logger: silentLogger, ...given };
  const { clock = systemClock, random = systemRandom, logger } = options;
  const place = placeOf(options);
  const dials = dialledBy(options);
  const metrics = new Metrics();
  const security = await Security.open({ flags: options, dials, clock, logger });
  let started: RegionNode | undefined;
  const store = await openStore({ ...options, clock, random }, () => started);
  const slow = new SlowRequests(clock, logger, options.slowRequest ?? Infinity);
  let http: HttpListener;
  let directories: string[];
  try {
    directories = [...(await directoriesOf(options, dials, security))];
    await security.learn((revocations) => learnRevocations(store, revocations, clock));
    http = await listen({ ...options, clock }, { security, metrics, slow });
  } catch (failure) {
    await store.close();
    throw failure;
  }
  const url = place.url ?? secureUrl(place.ip, http);
  const node = new RegionNode({
    ...options,
    node: { ...place, cluster: options.cluster, port: http.port, url },
    listeners: [http],
    store,
    directories,
    keepDirectories: keeping(options),
    revocations: security.revocations,
    credentials: () => security.dialing,
    dial: dialOf(directories, { security, store, clock, logger, metrics }),
    clock,
    random,
    metrics,
    backups: backupsOf({ ...options, clock, random }),
    ttlMsDefault: options.ttlDefault ?? 0,
    onTraced: (frame) => tellTraced(frame, logger, slow),
  });
  started = node;
  logger.info(`listening on ${http.url}`, { node: place.id, cluster: options.cluster });
  const endMeasuring = measure({ ...options, clock }, metrics, { store, node, security });
  node.start();
  security.watch(
    (server) => http.reload(server),
    () => node.wholeAtMs,
    url === null ? undefined : bareHost(url),
  );
  let stopped: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    logger.info("stopping", { node: place.id });
    security.stop();
    endMeasuring();
    await node.stop(FINISH_MS);
    await store.close();
  };
  return {
    url: http.url,
    port: http.port,
    get status() {
      return node.status;
    },
    reload: (changed) => {
      if (changed !== undefined) change({ slow, http, node, logger }, changed);
      return security.reload(changed);
    },
    stop: () => (stopped ??= stop()),
  };
}

/** Takes on options that may change while the node runs. */
function change(
  parts: {
    readonly slow: SlowRequests;
    readonly http: HttpListener;
    readonly node: RegionNode;
    readonly logger: Logger;
  },
  { slowRequest, rateLimit, rateBurst, connectionsMax, ttlDefault }: Changeable,
): void {
  parts.slow.thresholdMs = slowRequest ?? Infinity;
  parts.http.changeRate({ perSecond: rateLimit, burst: rateBurst });
  parts.http.boundConnections(connectionsMaxOf(connectionsMax, parts.logger));
  parts.node.service.writes.ttlMsDefault = ttlDefault ?? 0;
}

/** The URLs of the directories, or of the members that know them. Throws `INVALID_CONFIG` where both are given. */
function dialledBy({
  directory,
  join: members,
}: Required<Pick<RegionOptions, "directory" | "join">>): readonly string[] {
  const directories = [directory].flat().map(withoutTrailingSlashes);
  if (members === null) return directories;
  const unset = [defaultsOf(REGION_OPTIONS).directory].flat().map(withoutTrailingSlashes);
  if (directories.join() === unset.join()) return members.map(withoutTrailingSlashes);
  throw new MeridianError(
    "INVALID_CONFIG",
    "Expected either directories (--directory) or members that know them (--join), got both",
  );
}

/** The URLs of the directories, which are asked for where members are named instead. */
async function directoriesOf(
  options: Pick<JoinOptions, "cluster" | "data" | "logger"> & { readonly join: unknown },
  dials: readonly string[],
  { dialing }: Security,
): Promise<readonly string[]> {
  if (options.join === null) return dials;
  return findDirectories({ ...options, members: dials, credentials: dialing });
}

/** What keeps the directories that a region which joins learns of; undefined for one that was given them. */
function keeping({
  join: members,
  data,
  logger,
}: Pick<JoinOptions, "data" | "logger"> & {
  readonly join: unknown;
}): RegionNodeOptions["keepDirectories"] {
  return members === null ? undefined : (found) => void keepDirectories(data, found, logger);
}

/** Dials the directory at an index, and reads from it no faster than the store takes in. */
function dialOf(
  directories: readonly string[],
  {
    security,
    store,
    clock,
    logger,
    metrics,
  }: {
    readonly security: Security;
    readonly store: SqliteReplicaStore;
    readonly clock: Clock;
    readonly logger: Logger;
    readonly metrics: Metrics;
  },
): Dial {
  const cuts = linkCuts({ clock, logger, metrics });
  return throttledDial({
    dial: (events, index) => {
      const { dialing } = security;
      const url = `${directories[index]}/replicate`;
      return dialLink(url, events, { logger, cuts, credentials: dialing });
    },
    clock,
    backlogBytes: () => store.backlogBytes,
    backlogBytesMax: REMOTE_BACKLOG_BYTES_MAX,
  });
}

/** The options after defaults. */
interface Settled extends RegionOptions {
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Registers the metrics that belong to no part. Returns the function that ends the measuring. */
function measure(
  options: Settled & StoreFlags,
  metrics: Metrics,
  parts: {
    readonly store: SqliteReplicaStore;
    readonly node: RegionNode;
    readonly security: Security;
  },
): () => void {
  const { store, node, security } = parts;
  registerStore(metrics, {
    path: databaseOf(options),
    stats: () => store.stats(),
    isShort: () => store.shortage !== undefined,
    isDamaged: () => node.service.admission.damage !== undefined,
  });
  registerSecurity(metrics, security);
  registerBuild(metrics, programVersion());
  return registerProcess(metrics, options.clock);
}

function databaseOf({ data }: Pick<RegionFlags, "data">): string {
  return join(data, DATABASE_NAMES.replica);
}

function backupsOf(options: Settled & { readonly random: Random }): LiveBackup {
  const { clock, random, logger } = options;
  const path = databaseOf(options);
  const version = programVersion();
  const backups = new LiveBackup({ path, kind: "replica", version, clock, random, logger });
  backups.clear();
  return backups;
}

type StoreFlags = Pick<RegionFlags, "data" | "durability" | "storeBytesMax" | "expiredGrace">;

/** Opens the store of a node that is started afterwards. */
function openStore(
  options: Settled & StoreFlags & { readonly random: Random },
  node: () => RegionNode | undefined,
): Promise<SqliteReplicaStore> {
  const { durability, clock, random, logger } = options;
  return openReplicaStore({
    path: databaseOf(options),
    durability,
    bytesMax: options.storeBytesMax ?? 0,
    clock,
    expiryNowMs: () => node()?.confirmedNowMs,
    random,
    logger,
    onDamaged: (failure) => node()?.fail(failure),
    tuning: tuningFor(options.expiredGrace),
    onBroken: (failure) => options.onFatal?.(failure),
  });
}

/** With a short `expiredGraceMs`, the store looks for expired values more often, up to once a second. */
function tuningFor(expiredGraceMs: number): Partial<StoreTuning> {
  const { sweepEveryMs } = STORE_TUNING_DEFAULT;
  return {
    expiredGraceMs,
    sweepEveryMs: Math.min(sweepEveryMs, Math.max(SWEEP_EVERY_MS_MIN, expiredGraceMs)),
  };
}

/** Reads which tokens have been revoked, in bounded steps. */
function learnRevocations(
  store: SqliteReplicaStore,
  revocations: Revocations,
  clock: Clock,
): Promise<void> {
  const query = { prefix: REVOCATION_PREFIX, from: "", limit: 1_000, liveAtMs: clock.nowMs() };
  return revocations.takePages((after) => {
    const { entries, next } = store.list({ ...query, after });
    return { entries: entries.map((entry) => ({ ...entry, deleted: false })), next };
  });
}

type Doors = Pick<
  RegionFlags,
  | "host"
  | "port"
  | "url"
  | "connectionsMax"
  | "rateLimit"
  | "rateBurst"
  | "noConsole"
  | "tlsClientCa"
  | "insecureNoTls"
>;

async function listen(
  options: Settled & Doors,
  parts: {
    readonly security: Security;
    readonly metrics: Metrics;
    readonly slow: SlowRequests;
  },
): Promise<HttpListener> {
  const { security, metrics, slow } = parts;
  const { clock, host, port, url, logger, rateLimit, rateBurst } = options;
  if (
    security.serving.certificate !== undefined &&
    isWildcard(host) &&
    url === null &&
    options.ip == null
  ) {
    throw new MeridianError(
      "INVALID_CONFIG",
      `Expected \`--url\` beside \`--tls-cert\` and \`--host ${host}\`, to know under which name of the certificate clients reach the node, got nothing`,
    );
  }
  // A proxy on this machine may hand on the name that clients are told.
  const names = url === null ? [] : [new URL(url).hostname];
  const http = new HttpListener({
    clock,
    logger,
    metrics,
    slow,
    allowOrigin: options.allowOrigin ?? [],
    connectionsMax: connectionsMaxOf(options.connectionsMax, logger),
    allowHost: [...(options.allowHost ?? []), ...names],
    authenticator: security.authenticator,
    rateLimit,
    rateBurst,
    consoleFolder: options.noConsole ? undefined : consoleFolder(),
    trust: () => trustOf(security, options),
    insecureNoTls: options.insecureNoTls,
    ...security.serving,
  });
  await http.listen(host, port);
  return http;
}

/** What the directory is trusted by, and shown, where it is asked for a page. */
function trustOf(
  { dialing }: Security,
  { tlsClientCa }: Pick<RegionFlags, "tlsClientCa">,
): TlsTrust {
  const { headers: _, cert, key, ...trusted } = dialing;
  // Who asks has shown a certificate of its own where that is demanded; elsewhere none is lent to it.
  return tlsClientCa === null ? trusted : { ...trusted, cert, key };
}

function isWildcard(host: string): boolean {
  return host === "0.0.0.0" || host === "::";
}

/** The URL of a node that listens with TLS, for clients. Without it, the directory would make an `http:` URL of the node's address. */
function secureUrl(ip: string | null, { url, port }: HttpListener): string | null {
  if (!url.startsWith("https:")) return null;
  if (ip === null) return url;
  return `https://${ip.includes(":") ? `[${ip}]` : ip}:${port}`;
}

/** The name or address in a URL. */
function bareHost(url: string): string {
  return new URL(url).hostname.replace(/^\[|\]$/g, "");
}

/** The node's id, region and place, as directories get them. Throws for values that a directory would refuse. */
function placeOf({
  id,
  region,
  ip,
  url,
  lat,
  lon,
}: Pick<RegionFlags, "id" | "region" | "ip" | "url" | "lat" | "lon">) {
  return {
    ...checkCoordinates({ lat, lon }),
    id: checkIdentifier("an id", id),
    region: checkIdentifier("a region", region ?? id),
    ip: ip === null ? null : parseAddress(ip),
    url: url === null ? null : parseWebOrigin(url),
  };
}
