import { checkCoordinates, MeridianError, type Coordinates } from "@meridian/protocol";
import { Deadlines, systemClock, systemRandom, type Clock, type Random } from "@meridian/runtime";

import { Caller, type NodeAnswer } from "./caller.ts";
import { Client } from "./client.ts";
import { ClusterTime } from "./cluster-time.ts";
import { Directories } from "./directories.ts";
import type { NodeInfo, Wanted } from "./directory.ts";
import { Events } from "./events.ts";
import type { Fetch, Network } from "./exchange.ts";
import type { FillOptions, Loader } from "./fill/fill-options.ts";
import { Fills } from "./fill/fills.ts";
import { Keeper } from "./keeper.ts";
import type { MeridianClient } from "./meridian-client.ts";
import { loadingOf } from "./namespace-options.ts";
import { NodePool } from "./node-pool.ts";
import { Opening } from "./opening.ts";
import { checkMs, checkUrl, refuseUnknown } from "./options.ts";
import { OwnLag } from "./own-lag.ts";
import { Reads } from "./reads.ts";
import type { Write } from "./requests.ts";
import { Session } from "./session.ts";

/** How to reach a cluster: through a `directory` and from a `location`, or at fixed `nodes`. */
export interface ConnectOptions {
  /** The URL of the directory; several in order of priority: the first that answers is used. */
  readonly directory?: string | readonly string[] | undefined;
  /** Where this client is. */
  readonly location?: Coordinates | undefined;
  /** URLs of nodes in order of preference, instead of `directory` and `location`. */
  readonly nodes?: readonly string[] | undefined;
  /**
   * URLs of nodes that are known beside what the directory says: they serve where it does not answer, and where
   * those that it names do not.
   */
  readonly seeds?: readonly string[] | undefined;
  /** Connect when the first call comes: `connect` asks nobody and does not fail. Default false. */
  readonly lazy?: boolean | undefined;
  /** How many nearest nodes to know, 1 to 100. Default 4. */
  readonly limit?: number | undefined;
  /**
   * `session` (default): never an older state than this client has already seen. `eventual`: any ready node
   * answers with what it has.
   */
  readonly consistency?: "session" | "eventual" | undefined;
  /** How long a call may take unless it says otherwise, in milliseconds. Default 5000. */
  readonly deadlineMs?: number | undefined;
  /**
   * How long a node may be silent before the next one is asked, in milliseconds from 10 to 60 000. Default 1000;
   * later attempts of a call get a multiple, as they go further.
   */
  readonly attemptMs?: number | undefined;
  /** The longest time between two looks at the directory, in milliseconds. Default 30 000. */
  readonly refreshMs?: number | undefined;
  /**
   * How long a nearer node has to look well before it takes over from a farther one that serves, in milliseconds
   * from 0 to 60 000. Default 5000; twice as long each time it fails again within a minute.
   */
  readonly failbackMs?: number | undefined;
  /** A nearer node that is behind by more than this does not take over, in milliseconds. Default 1000. */
  readonly failbackLagMs?: number | undefined;
  /** What `get` and `getMany` load with what is missing, for a cache that fills itself. */
  readonly load?: Loader<unknown, unknown> | undefined;
  /** What `getOrSet` takes where a call says nothing else. */
  readonly fill?: FillOptions | undefined;
  /** Ends the attempt to connect. It has no say once connected. */
  readonly signal?: AbortSignal | undefined;
  /** The token to show, or what gives one, called for each request: tokens may be short-lived. */
  readonly token?: string | (() => string | Promise<string>) | undefined;
  /** Default: the platform's. */
  readonly fetch?: Fetch | undefined;
  readonly clock?: Clock | undefined;
  readonly random?: Random | undefined;
}

const OPTIONS: readonly string[] = [
  "directory",
  "location",
  "nodes",
  "seeds",
  "lazy",
  "limit",
  "consistency",
  "deadlineMs",
  "attemptMs",
  "refreshMs",
  "failbackMs",
  "failbackLagMs",
  "load",
  "fill",
  "signal",
  "token",
  "fetch",
  "clock",
  "random",
];

interface Settings {
  readonly directories: readonly string[];
  readonly wanted: Wanted | undefined;
  readonly nodes: readonly string[];
  readonly seeds: readonly string[];
  readonly deadlineMs: number;
  readonly attemptMs: number;
  readonly refreshMs: number;
  readonly failbackMs: number;
  readonly failbackLagMs: number;
}

/**
 * Connects to a cluster: asks the directory for the nearest nodes, until it answers or the deadline is over. With
 * `seeds`, it is asked once, and the seeds serve until it answers; with `lazy`, nobody is asked before the first call.
 * Throws `INVALID_ARGUMENT`, `INVALID_COORDINATES` or `UNKNOWN_OPTION` for what is wrong in the options,
 * `DIRECTORY_UNREACHABLE`, `NO_READY_NODE`, or the signal's reason.
 */
export async function connect(options: ConnectOptions): Promise<MeridianClient> {
  const settings = readSettings(options);
  const loading = loadingOf(options);
  const network = networkOf(options);
  const { random = systemRandom, signal } = options;
  const { clock } = network;
  const closing = new AbortController();
  const closed = closing.signal;
  const { wanted, attemptMs, refreshMs, deadlineMs, failbackMs, failbackLagMs } = settings;
  const directories = new Directories(network, random, settings.directories);
  const events = new Events();
  const pool = new NodePool(random, failbackMs, settings.seeds.map(seedOf), events);
  const shared = { network, random, pool, directories, wanted, attemptMs };
  const keeper = new Keeper({ ...shared, refreshMs, failbackLagMs, signal: closed });
  const fixed = settings.nodes.map(fixedNodeOf);
  const seeded = settings.seeds.length > 0;
  const opening = new Opening({ ...shared, fixed, seeded, keeper, closed });
  const session = new Session();
  const caller = new Caller({
    network,
    random,
    pool,
    keeper,
    opening,
    session: options.consistency === "eventual" ? undefined : session,
    attemptMs,
    events,
    closed,
  });
  const reads = new Reads({ caller, network, closed });
  closed.addEventListener("abort", () => network.deadlines.clear(), { once: true });
  if (options.lazy !== true) {
    await opening.insist({ endMs: clock.elapsedMs() + deadlineMs, signal });
  }
  const time = new ClusterTime(clock);
  const write = timedWrites(caller, clock, time);
  const fills = new Fills({ caller, reads, network, time, write, closed, deadlineMs });
  const parts = { caller, reads, fills, time, network, random, write, deadlineMs };
  const client = new Client({ ...parts, pool, directories, session, events, closing }, loading);
  // The interface says of types what no class can.
  return client as object as MeridianClient;
}

/** Sends writes, from whose answers the cluster's time is learnt. */
function timedWrites(
  caller: Caller,
  clock: Clock,
  time: ClusterTime,
): (write: Write) => Promise<NodeAnswer> {
  return async ({ request, limits }) => {
    const sentAtMs = clock.nowMs();
    const reply = await caller.call(request, limits);
    time.wrote(reply.answer.headers.get("etag"), sentAtMs);
    return reply;
  };
}

function networkOf({ clock = systemClock, fetch, token }: ConnectOptions): Network {
  const deadlines = new Deadlines(clock);
  // Called through the global object, as browsers demand.
  const plain: Fetch = fetch ?? ((url, init) => globalThis.fetch(url, init));
  return {
    fetch: token === undefined ? plain : showing(token, plain),
    clock,
    deadlines,
    ownLag: new OwnLag(clock, deadlines),
  };
}

/** A `fetch` that shows a token. */
function showing(token: NonNullable<ConnectOptions["token"]>, fetch: Fetch): Fetch {
  return async (url, init) => {
    const authorization = `Bearer ${typeof token === "string" ? token : await token()}`;
    return fetch(url, {
      ...init,
      headers: { ...(init.headers as Record<string, string>), authorization },
    });
  };
}

function fixedNodeOf(url: string): NodeInfo {
  const { host } = new URL(url);
  return { id: host, region: host, url, distanceMeters: 0 };
}

/** Farther than all that the directory names. */
function seedOf(url: string): NodeInfo {
  return { ...fixedNodeOf(url), distanceMeters: Infinity };
}

function readSettings(options: ConnectOptions): Settings {
  refuseUnknown("`connect`", options, OPTIONS);
  const { consistency = "session", limit = 4, lazy = false } = options;
  if (consistency !== "session" && consistency !== "eventual") {
    throw new MeridianError(
      "INVALID_ARGUMENT",
      `Expected \`consistency\` to be \`session\` or \`eventual\`, got \`${String(consistency)}\``,
    );
  }
  if (!Number.isInteger(limit) || limit < 1 || limit > 100) {
    throw new MeridianError(
      "INVALID_ARGUMENT",
      `Expected \`limit\` as a whole number from 1 to 100, got \`${String(limit)}\``,
    );
  }
  if (typeof lazy !== "boolean") {
    const message = `Expected \`lazy\` to be true or false, got \`${String(lazy)}\``;
    throw new MeridianError("INVALID_ARGUMENT", message);
  }
  return {
    ...readPlaces(options, limit),
    deadlineMs: checkMs("deadlineMs", options.deadlineMs, 5_000, 1, 600_000),
    attemptMs: checkMs("attemptMs", options.attemptMs, 1_000, 10, 60_000),
    refreshMs: checkMs("refreshMs", options.refreshMs, 30_000, 1_000, 86_400_000),
    failbackMs: checkMs("failbackMs", options.failbackMs, 5_000, 0, 60_000),
    failbackLagMs: checkMs("failbackLagMs", options.failbackLagMs, 1_000, 0, 86_400_000),
  };
}

function readPlaces(
  options: ConnectOptions,
  limit: number,
): Pick<Settings, "directories" | "wanted" | "nodes" | "seeds"> {
  const { directory, location, nodes, seeds = [] } = options;
  const nearest = directory !== undefined && location !== undefined;
  const fixed = nodes !== undefined && nodes.length > 0;
  const mixed = nodes !== undefined && (directory !== undefined || location !== undefined);
  if ((!nearest && !fixed) || mixed) {
    throw new MeridianError(
      "INVALID_ARGUMENT",
      "Expected either `directory` and `location` or one or more `nodes`, got other options",
    );
  }
  if (fixed && seeds.length > 0) {
    const message = "Expected `seeds` beside a `directory`, got them beside `nodes`";
    throw new MeridianError("INVALID_ARGUMENT", message);
  }
  const directories = directory === undefined ? [] : [directory].flat();
  if (location !== undefined) {
    refuseUnknown("`location`", location, ["lat", "lon"]);
    checkCoordinates(location);
  }
  return {
    directories: directories.map((url) => checkUrl("directory", url)),
    wanted: location === undefined ? undefined : { location, limit },
    nodes: (nodes ?? []).map((url) => checkUrl("nodes", url)),
    seeds: seeds.map((url) => checkUrl("seeds", url)),
  };
}
