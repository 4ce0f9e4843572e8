/** One simulated life of a cluster, drawn from a seed: writes, faults, healing, and then the checks. */
import type { Promises } from "./auditor.ts";
import { liveByConditions } from "./conditions-life.ts";
import { SimulatedCluster } from "./cluster.ts";
import { end } from "./ending.ts";
import { allFaults, clockFaults, scheduleFaults, slowDisks, smallLimits } from "./faults.ts";
import { liveBeyondHorizon } from "./horizon-life.ts";
import { liveByWrongClocks } from "./clock-life.ts";
import { drawNetwork } from "./network.ts";
import { HONEST_PARTS, type ClusterParts } from "./parts.ts";
import { scheduleSessions } from "./sessions.ts";
import { liveOverStream } from "./stream/stream-life.ts";
import { scheduleWork } from "./work.ts";
import { World } from "./world.ts";

/** The result of a simulation. `violations` are broken guarantees; `acknowledged` is the number of acknowledged writes. */
export interface Outcome {
  readonly violations: readonly string[];
  readonly acknowledged: number;
  /** How often clients waited for a guarantee (`asked`), and how often with success (`reached`). */
  readonly asked: Promises;
  readonly reached: Promises;
  /** Entries that ended in a quarantine. */
  readonly quarantined: number;
  /** How many events there were: the same number again, if nothing is different. */
  readonly events: number;
}

const FAULTS_MS = 12_000;

/**
 * Which faults a simulation has.
 *
 * - `all`: all faults of machines, disks, networks and clocks.
 * - `clocks`: nodes restart with their clocks set anew, and the directory's clock is set; nothing else.
 * - `horizon`: all faults but wrong clocks, except that some seeds have one wrong clock. Tombstones are kept for seconds, and nodes and directories are away for longer.
 * - `conditions`: nodes and directories are killed, cut off and full; clients write by conditions for the whole cluster.
 * - `stream`: all faults but wrong clocks, and those of a stream that has the log of all directories.
 * - `stream-clocks`, `stream-horizon`, `stream-time`: those of a stream that lose nothing, and those of `all`, `horizon` or `time`; of `stream-clocks`, streams are set back as well.
 * - `stream-conditions`: those of `conditions`, and those of a stream that lose nothing.
 * - `time`: the clocks of a minority of the machines are wrong by any amount, and expired values are emptied at once.
 */
export type Faults =
  | "all"
  | "clocks"
  | "conditions"
  | "horizon"
  | "stream"
  | "stream-horizon"
  | "stream-time"
  | "stream-clocks"
  | "stream-conditions"
  | "time";

/** The faults of a seed: a fifth of the seeds have `horizon`, another fifth `time`, the others `all`. */
export function faultsOf(seed: number): Faults {
  if (seed % 5 === 0) return "horizon";
  return seed % 5 === 1 ? "time" : "all";
}

/** The faults of a seed where the log is in a stream: two fifths of the seeds have `stream`, and one fifth each of the others. */
export function streamFaultsOf(seed: number): Faults {
  const others: readonly Faults[] = ["stream-horizon", "stream-time", "stream-clocks"];
  return others[seed % 5] ?? "stream";
}

/**
 * Runs the simulation of `seed`. With several directories, they follow each other, and nodes choose among them.
 */
export function simulate(
  seed: number,
  parts: ClusterParts = HONEST_PARTS,
  faults: Faults = "all",
  directories = 1,
): Promise<Outcome> {
  if (faults === "horizon") return liveBeyondHorizon(seed, parts, directories);
  if (faults === "conditions") return liveByConditions(seed, parts);
  if (faults === "stream-conditions") return liveByConditions(seed, parts, directories);
  if (faults === "stream-horizon") return liveBeyondHorizon(seed, parts, directories, true);
  if (faults === "stream-time") return liveByWrongClocks(seed, parts, directories, true);
  if (faults === "stream-clocks") return liveOverStream(seed, parts, directories, true);
  if (faults === "stream") return liveOverStream(seed, parts, directories);
  if (faults === "time") return liveByWrongClocks(seed, parts, directories);
  return live(seed, parts, faults, directories);
}

async function live(
  seed: number,
  parts: ClusterParts,
  faults: Faults,
  directories: number,
): Promise<Outcome> {
  const world = new World(seed);
  const isLossy = world.chance(0.3);
  const size = { nodes: 3 + world.below(3), directories };
  const cluster = new SimulatedCluster(world, size, drawNetwork(world, isLossy, 20_000), parts);
  const { nodes } = cluster;
  slowDisks(cluster, seed);
  smallLimits(cluster, seed);
  for (const directory of cluster.directories) cluster.startDirectory(directory);
  for (const node of nodes) {
    node.machine.skewMs = world.chance(0.3)
      ? world.between(-10_000, 10_000)
      : world.between(-50, 50);
    cluster.startNode(node);
  }
  const work = { untilMs: FAULTS_MS, size: 3 + world.below(40), ends: 0.2 };
  scheduleSessions(cluster, scheduleWork(cluster, work), FAULTS_MS);
  const drawn = faults === "all" ? allFaults(cluster) : clockFaults(cluster);
  scheduleFaults(cluster, FAULTS_MS, drawn);
  await world.run(FAULTS_MS);
  return end(cluster);
}
