import { checkCoordinates, MeridianError, type Coordinates } from "@meridian/protocol";
import {
  Backoff,
  Deadlines,
  systemClock,
  systemRandom,
  type Clock,
  type Random,
} from "@meridian/runtime";

import { Caller } from "./caller.ts";
import { Client } from "./client.ts";
import { Directories } from "./directories.ts";
import type { NodeInfo, Wanted } from "./directory.ts";
import type { Fetch, Network } from "./exchange.ts";
import { Keeper } from "./keeper.ts";
import type { MeridianClient } from "./meridian-client.ts";
import { NodePool } from "./node-pool.ts";
import { checkMs, checkUrl, refuseUnknown } from "./options.ts";
import { pause } from "./pause.ts";
import { Session } from "./session.ts";

/** How to reach a cluster: through a `directory` and from a `location`, or at fixed `nodes`. */
export interface ConnectOptions {
  /** The URL of the directory; several in order of priority: the first that answers is used. */
  readonly directory?: string | readonly string[] | undefined;
  /** Where this client is. */
  readonly location?: Coordinates | undefined;
  /** URLs of nodes in order of preference, instead of `directory` and `location`. */
  readonly nodes?: readonly string[] | undefined;
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
  /** Ends the attempt to connect. It has no say once connected. */
  readonly signal?: AbortSignal | undefined;
  /** Default: the platform's. */
  readonly fetch?: Fetch | undefined;
  readonly clock?: Clock | undefined;
  readonly random?: Random | undefined;
}

const OPTIONS: readonly string[] = [
  "directory",
  "location",
  "nodes",
  "limit",
  "consistency",
  "deadlineMs",
  "attemptMs",
  "refreshMs",
  "failbackMs",
  "failbackLagMs",
  "signal",
  "fetch",
  "clock",
  "random",
];

interface Settings {
  readonly directories: readonly string[];
  readonly wanted: Wanted | undefined;
  readonly nodes: readonly string[];
  readonly deadlineMs: number;
  readonly attemptMs: number;
  readonly refreshMs: number;
  readonly failbackMs: number;
  readonly failbackLagMs: number;
}

/**
 * Connects to a cluster: asks the directory for the nearest nodes, until it answers or the deadline is over.
 * Throws `INVALID_ARGUMENT`, `INVALID_COORDINATES` or `UNKNOWN_OPTION` for what is wrong in the options,
 * `DIRECTORY_UNREACHABLE`, `NO_READY_NODE`, or the signal's reason.
 */
export async function connect(options: ConnectOptions): Promise<MeridianClient> {
  const settings = readSettings(options);
  const { clock = systemClock, random = systemRandom } = options;
  // Called through the global object, as browsers demand.
  const fetch: Fetch = options.fetch ?? ((url, init) => globalThis.fetch(url, init));
  const network: Network = { fetch, clock, deadlines: new Deadlines(clock) };
  const closing = new AbortController();
  const { wanted, attemptMs, refreshMs, deadlineMs, failbackMs, failbackLagMs } = settings;
  const directories = new Directories(network, random, settings.directories);
  const pool = new NodePool(random, failbackMs);
  const first = await firstNodes({ network, random, settings, directories }, options.signal);
  pool.update(first, clock.elapsedMs());
  const { signal } = closing;
  const keeper = new Keeper({
    network,
    random,
    pool,
    directories,
    wanted,
    attemptMs,
    refreshMs,
    failbackLagMs,
    signal,
  });
  const session = new Session();
  const caller = new Caller({
    network,
    random,
    pool,
    keeper,
    session: options.consistency === "eventual" ? undefined : session,
    attemptMs,
    closed: signal,
  });
  signal.addEventListener("abort", () => network.deadlines.clear(), { once: true });
  keeper.start();
  return new Client({ caller, pool, directories, session, clock, deadlineMs, closing });
}

interface FirstQuestion {
  readonly network: Network;
  readonly random: Random;
  readonly settings: Settings;
  readonly directories: Directories;
}

async function firstNodes(
  { network, random, settings, directories }: FirstQuestion,
  signal: AbortSignal | undefined,
): Promise<readonly NodeInfo[]> {
  const { wanted, attemptMs, deadlineMs } = settings;
  if (wanted === undefined) {
    return settings.nodes.map((url) => {
      const { host } = new URL(url);
      return { id: host, region: host, url, distanceMeters: 0 };
    });
  }
  const endMs = network.clock.elapsedMs() + deadlineMs;
  const pauses = new Backoff({ random, firstMs: 100, maxMs: 1_000 });
  for (;;) {
    try {
      const patience = { quietMs: attemptMs, endMs, signal };
      return await directories.nearest({ wanted, patience });
    } catch (cause) {
      const pauseMs = Math.max(pauses.nextMs(), directories.restMs);
      const again = cause instanceof MeridianError && cause.retryable;
      if (!again || network.clock.elapsedMs() + pauseMs >= endMs) throw cause;
      await pause(network, pauseMs, signal);
      signal?.throwIfAborted();
    }
  }
}

function readSettings(options: ConnectOptions): Settings {
  refuseUnknown("`connect`", options, OPTIONS);
  const { consistency = "session", limit = 4 } = options;
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
): Pick<Settings, "directories" | "wanted" | "nodes"> {
  const { directory, location, nodes } = options;
  const nearest = directory !== undefined && location !== undefined;
  const fixed = nodes !== undefined && nodes.length > 0;
  const mixed = nodes !== undefined && (directory !== undefined || location !== undefined);
  if ((!nearest && !fixed) || mixed) {
    throw new MeridianError(
      "INVALID_ARGUMENT",
      "Expected either `directory` and `location` or one or more `nodes`, got other options",
    );
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
  };
}
