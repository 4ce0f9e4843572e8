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
import type { Near } from "./near/near.ts";
import { nearTermsOf, type NearOptions, type NearTerms } from "./near/near-options.ts";
import { NodePool } from "./node-pool.ts";
import { Opening } from "./opening.ts";
import { checkMs, checkUrl, refuseUnknown } from "./options.ts";
import { OwnLag } from "./own-lag.ts";
import { Reads } from "./reads.ts";
import type { Write } from "./requests.ts";
import { Session } from "./session.ts";
import { SocketLinks, type Transport } from "./socket-links.ts";
import { WriteDeadlines } from "./write-deadlines.ts";
import type { Dial } from "./socket/wire.ts";

/** How to reach a cluster: through a `directory` and from a `location`, or at fixed `nodes`. */
export interface ConnectOptions {
  /** The URL of the directory; several in order of priority: the first that answers is used. */
  readonly directory?: string | readonly string[] | undefined;
  /** Where this client is, in decimal degrees. */
  readonly location?: Coordinates | undefined;
  /** URLs of nodes in order of preference, instead of `directory` and `location`. */
  readonly nodes?: readonly string[] | undefined;
  /**
   * URLs of further nodes. The client uses them if no directory answers, and if no node that the directory names
   * does.
   */
  readonly seeds?: readonly string[] | undefined;
  /** Connect with the first call: `connect` sends no request and does not fail. Default false. */
  readonly lazy?: boolean | undefined;
  /** How many of the nearest nodes the client knows, 1 to 100. Default 4. */
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
   * later attempts of a call get a multiple, because they go to farther nodes.
   */
  readonly attemptMs?: number | undefined;
  /** The longest time between two requests to the directory, in milliseconds. Default 30 000. */
  readonly refreshMs?: number | undefined;
  /**
   * How long a nearer node must have been ready before the client goes back to it from a farther one, in milliseconds
   * from 0 to 60 000. Default 5000; twice as long each time the node fails again within a minute.
   */
  readonly failbackMs?: number | undefined;
  /** The client does not go back to a nearer node that is behind by more than this, in milliseconds. Default 1000. */
  readonly failbackLagMs?: number | undefined;
  /** The loader by which `get` and `getMany` load missing values. */
  readonly load?: Loader<unknown, unknown> | undefined;
  /** The default options of `getOrSet`. */
  readonly fill?: FillOptions | undefined;
  /** What this client keeps in its own process. Default: nothing. */
  readonly near?: NearOptions | undefined;
  /** Aborts `connect`. It has no effect once the client is connected. */
  readonly signal?: AbortSignal | undefined;
  /** The token to send, or a function that returns one and is called for each request, for short-lived tokens. */
  readonly token?: Token | undefined;
  /**
   * Over what requests go to nodes. `auto` (default): each node's first request goes over HTTP, and later ones over one WebSocket to the node if it has one.
   * `websocket`: all that a WebSocket carries goes over one. `http`: no WebSockets. With a `fetch` of your own, the default is `http`.
   */
  readonly transport?: Transport | undefined;
  /** The function that sends HTTP requests. Default: the platform's `fetch`. */
  readonly fetch?: Fetch | undefined;
  readonly clock?: Clock | undefined;
  readonly random?: Random | undefined;
}

/** A token, or what returns the one that is due. */
export type Token = string | (() => string | Promise<string>);

const TRANSPORTS: readonly Transport[] = ["auto", "http", "websocket"];

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
  "near",
  "signal",
  "token",
  "transport",
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
  readonly lazy: boolean;
  readonly transport: Transport;
  readonly near: NearTerms | undefined;
}

/**
 * Connects to a cluster: asks the directory for the nearest nodes, until it answers or the deadline is over. With
 * `seeds`, the directory is asked once, and the client uses the seeds until it answers; with `lazy`, no request is sent before the first call.
 * Throws `INVALID_ARGUMENT`, `INVALID_COORDINATES` or `UNKNOWN_OPTION` for invalid options,
 * `DIRECTORY_UNREACHABLE` if no directory answers, `NO_READY_NODE` if it knows no ready node, or the signal's reason.
 */
export function connect(options: ConnectOptions): Promise<MeridianClient> {
  return connectBy(options);
}

/** As `connect`; `dial` opens WebSockets instead of the platform. */
export async function connectBy(options: ConnectOptions, dial?: Dial): Promise<MeridianClient> {
  const settings = readSettings(options);
  const loading = loadingOf(options);
  const network = networkOf(options);
  const { random = systemRandom, signal } = options;
  const { clock } = network;
  const closing = new AbortController();
  const closed = closing.signal;
  const { wanted, attemptMs, refreshMs, deadlineMs, failbackMs, failbackLagMs } = settings;
  const { lazy } = settings;
  const time = new ClusterTime(clock);
  const directories = new Directories(network, random, time, settings.directories);
  const events = new Events();
  const pool = new NodePool(random, failbackMs, settings.seeds.map(seedOf), events);
  const shared = { network, random, pool, directories, wanted, attemptMs };
  const keeper = new Keeper({ ...shared, refreshMs, failbackLagMs, signal: closed });
  const fixed = settings.nodes.map(fixedNodeOf);
  const seeded = settings.seeds.length > 0;
  const { transport } = settings;
  const links = new SocketLinks({ network, random, transport, events, dial, closed });
  const opening = new Opening({ ...shared, fixed, seeded, keeper, closed });
  const session = new Session();
  const kept = options.consistency === "eventual" ? undefined : session;
  const writeDeadlines = new WriteDeadlines(clock, time);
  const served = { network, random, pool, links, keeper, opening, session: kept, attemptMs };
  const caller = new Caller({ ...served, writeDeadlines, events, closed });
  closed.addEventListener("abort", () => network.deadlines.clear(), { once: true });
  const openNear = settings.near && (await import("./near/open-near.ts")).openNear;
  if (!lazy) await opening.insist({ endMs: clock.elapsedMs() + deadlineMs, signal });
  const watching = { caller, network, links, random, events, deadlineMs, closed };
  const near = settings.near && openNear?.({ ...watching, terms: settings.near }, kept, lazy);
  const reads = new Reads({ caller, network, near, closed });
  const write = writesOf(caller, clock, time, near);
  const fills = new Fills({ caller, reads, network, time, write, closed, deadlineMs });
  const parts = { caller, reads, fills, time, network, random, write, deadlineMs };
  const state = { pool, links, directories, session, events, near, closing };
  const client = new Client({ ...parts, ...state }, loading);
  // The interface has types, such as overloads of `namespace`, that the class cannot declare.
  return client as object as MeridianClient;
}

/** Sends writes, from whose answers the cluster's time is learnt. What they may have changed is kept no more. */
function writesOf(
  caller: Caller,
  clock: Clock,
  time: ClusterTime,
  near: Near | undefined,
): (write: Write) => Promise<NodeAnswer> {
  return async ({ keys, request, limits }) => {
    const sentAtMs = clock.nowMs();
    try {
      const reply = await caller.call(request, limits);
      time.wrote(reply.answer.headers.get("etag"), sentAtMs);
      return reply;
    } finally {
      near?.wrote(keys);
    }
  };
}

function networkOf({ clock = systemClock, fetch, token }: ConnectOptions): Network {
  const deadlines = new Deadlines(clock);
  // Called through the global object, as browsers demand.
  const plain: Fetch = fetch ?? ((url, init) => globalThis.fetch(url, init));
  return {
    fetch: token === undefined ? plain : showing(token, plain),
    token,
    clock,
    deadlines,
    ownLag: new OwnLag(clock, deadlines),
  };
}

/** A `fetch` that sends a token. */
function showing(token: Token, fetch: Fetch): Fetch {
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

/** A seed, which counts as farther than all nodes that the directory names. */
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
    lazy,
    transport: transportOf(options),
    near: options.near === undefined ? undefined : nearTermsOf(options.near),
    deadlineMs: checkMs("deadlineMs", options.deadlineMs, 5_000, 1, 600_000),
    attemptMs: checkMs("attemptMs", options.attemptMs, 1_000, 10, 60_000),
    refreshMs: checkMs("refreshMs", options.refreshMs, 30_000, 1_000, 86_400_000),
    failbackMs: checkMs("failbackMs", options.failbackMs, 5_000, 0, 60_000),
    failbackLagMs: checkMs("failbackLagMs", options.failbackLagMs, 1_000, 0, 86_400_000),
  };
}

function transportOf({ transport, fetch }: ConnectOptions): Transport {
  const given = transport ?? (fetch === undefined ? "auto" : "http");
  if (TRANSPORTS.includes(given)) return given;
  throw new MeridianError(
    "INVALID_ARGUMENT",
    `Expected \`transport\` to be \`auto\`, \`http\` or \`websocket\`, got \`${String(given)}\``,
  );
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
