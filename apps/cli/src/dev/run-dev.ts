/** The command `meridian dev`. */
import { findPrograms, type NodePrograms } from "@meridian/local-cluster";
import { asMeridianError } from "@meridian/protocol";
import { systemClock, systemRandom } from "@meridian/runtime";

import { EXIT } from "../exit-codes.ts";
import type { CliIo } from "../io.ts";
import { formatBanner } from "./banner.ts";
import { buildConsole } from "./console-build.ts";
import { takeDataDirectory, type DataDirectory } from "./data-directory.ts";
import { DevCluster } from "./dev-cluster.ts";
import { readDevConfig, type DevConfig, type DevFlags } from "./dev-config.ts";
import { DevLines } from "./dev-lines.ts";
import { checkNatsServer, logAddress } from "./dev-log.ts";
import { HAS_PLAYGROUND, loadPlayground, type RunningPlayground } from "./playground.ts";
import { choosePorts, portIsFree, type Ports } from "./ports.ts";

/** The options of `meridian dev`. */
export interface DevOptions extends DevFlags {
  readonly data: string;
  readonly fresh?: boolean | undefined;
}

/** How long a program may take to stop, in milliseconds. */
const GRACE_MS = 5_000;
/** After how many milliseconds the user is told which programs are not ready. */
const PATIENCE_MS = 15_000;
/** How long to wait for the programs of a previous run that was not stopped in order, in milliseconds. */
const UNCLEAN_MS = 3_000;

const STOP_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Runs the cluster until a signal ends it, or until one of its programs cannot be kept running. Returns the exit code.
 * Throws `INVALID_CONFIG`, `ADDRESS_IN_USE` or `STORE_IN_USE` before anything is started.
 */
export async function runDev(
  options: DevOptions,
  io: CliIo,
  given?: NodePrograms,
): Promise<number> {
  const config = readDevConfig(options);
  if (config.log === "nats") checkNatsServer(io.env);
  const programs = given ?? (await findPrograms());
  const data = takeDataDirectory(options.data, options.fresh === true);
  try {
    const ports = await portsAfter(data, config);
    const lines = HAS_PLAYGROUND ? await linesOf(config, ports) : undefined;
    const cluster = new DevCluster({
      config,
      dialled: (region) => lines?.of(region).map(({ url }) => url),
      ports,
      dataPath: data.path,
      directoryProgram: programs.directory,
      regionProgram: programs.region,
      io,
      random: systemRandom,
      graceMs: GRACE_MS,
    });
    if (ports.busy.length > 0) {
      const busy = ports.busy.join(", ");
      cluster.say(
        `Busy: ${busy}. The directory gets port ${ports.directories[0] ?? 0}, the others follow it`,
      );
    }
    const open = (): Promise<RunningPlayground | undefined> =>
      lines === undefined
        ? Promise.resolve(undefined)
        : openPlayground({ cluster, config, ports, lines });
    try {
      return await runUntilStopped(cluster, config, ports, io, open);
    } finally {
      await lines?.close();
    }
  } finally {
    data.release();
  }
}

function linesOf({ regions }: DevConfig, { directories }: Ports): Promise<DevLines> {
  const ids = regions.map(({ id }) => id);
  return DevLines.open(ids, directories.map(urlOf));
}

/** Starts the playground at the port after all others, or at any if that is taken. Without a bundler there is a cluster, and no playground. */
async function openPlayground({
  cluster,
  config,
  ports,
  lines,
}: {
  readonly cluster: DevCluster;
  readonly config: DevConfig;
  readonly ports: Ports;
  readonly lines: DevLines;
}): Promise<RunningPlayground | undefined> {
  const next = Math.max(...ports.directories, ...ports.regions, ...ports.nats) + 1;
  try {
    const start = await loadPlayground();
    return await start({
      port: next < 65_536 && (await portIsFree(next)) ? next : 0,
      directoryUrl: cluster.directories[0]?.url ?? "",
      directoryName: cluster.directories[0]?.id ?? "",
      regions: regionsOf(config, ports).map((region) => ({
        ...region,
        lines: lines.of(region.id),
      })),
      signal: (name, signal) => cluster.signal(name, signal),
      clock: systemClock,
      random: systemRandom,
      say: (line) => cluster.say(line),
    });
  } catch (cause) {
    cluster.say(`there is no playground: ${asMeridianError(cause).message}`);
    return undefined;
  }
}

function regionsOf({ regions }: DevConfig, ports: Ports) {
  return regions.map(({ id, lat, lon }, index) => ({
    id,
    lat,
    lon,
    url: urlOf(ports.regions[index] ?? 0),
  }));
}

function urlOf(port: number): string {
  return `http://127.0.0.1:${port}`;
}

async function portsAfter(data: DataDirectory, config: DevConfig): Promise<Ports> {
  const endMs = performance.now() + (data.unclean ? UNCLEAN_MS : 0);
  for (;;) {
    const last = performance.now() >= endMs;
    try {
      const ports = await choosePorts(config, portIsFree);
      if (ports.busy.length === 0 || last) return ports;
    } catch (cause) {
      if (last || asMeridianError(cause).code !== "ADDRESS_IN_USE") throw cause;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function runUntilStopped(
  cluster: DevCluster,
  config: DevConfig,
  ports: Ports,
  io: CliIo,
  open: () => Promise<RunningPlayground | undefined>,
): Promise<number> {
  const stopped = stopSignal(cluster);
  const patience = setTimeout(() => {
    cluster.say(`still waiting for ${cluster.waitingFor.join(", ")}`);
  }, PATIENCE_MS);
  const built = buildConsole().catch((cause: unknown) => {
    cluster.say(`the console could not be built: ${asMeridianError(cause).message}`);
  });
  cluster.start();
  // What the programs do not need is loaded while they start.
  const playground = open();
  void cluster.ready.then(async () => {
    clearTimeout(patience);
    const regions = regionsOf(config, ports);
    // `performance.now()` counts from the start of the process, so this is how long the user has waited.
    const readyMs = performance.now();
    await built;
    const { url } = (await playground) ?? {};
    const log = config.log === "nats" ? logAddress(ports.nats) : undefined;
    io.stdout.write(formatBanner(cluster.directories, regions, readyMs, url, log));
  });
  try {
    const end = await Promise.race([stopped.signal, cluster.givenUp]);
    const bySignal = (STOP_SIGNALS as readonly string[]).includes(end);
    cluster.say(bySignal ? `${end}: stopping` : `stopping: ${end}`);
    // What was cut off hands its writes over as it stops.
    await (await playground)?.stop();
    await cluster.stop();
    cluster.say("everything has stopped");
    return bySignal && !stopped.killed() ? EXIT.ok : EXIT.failure;
  } finally {
    clearTimeout(patience);
    stopped.release();
  }
}

interface StopSignal {
  /** Resolves to the first signal. */
  readonly signal: Promise<string>;
  /** Whether a second signal has killed the programs. */
  readonly killed: () => boolean;
  readonly release: () => void;
}

function stopSignal(cluster: DevCluster): StopSignal {
  let first: string | undefined;
  let killed = false;
  let resolve: (signal: string) => void = () => {};
  const signal = new Promise<string>((settle) => {
    resolve = settle;
  });
  const onSignal = (name: string): void => {
    if (first === undefined) {
      first = name;
      resolve(name);
      return;
    }
    killed = true;
    cluster.say(`${name} again: killing what still runs`);
    cluster.kill();
  };
  for (const name of STOP_SIGNALS) process.on(name, onSignal);
  return {
    signal,
    killed: () => killed,
    release: () => {
      for (const name of STOP_SIGNALS) process.off(name, onSignal);
    },
  };
}
