/** One simulated life of a cluster, drawn from a seed: work, faults, healing, and what must then be true. */
import type { Promises } from "./auditor.ts";
import { checkContents, checkCursors, checkStamps } from "./checks.ts";
import { HONEST_PARTS, SimulatedCluster, type ClusterParts } from "./cluster.ts";
import { allFaults, clockFaults, scheduleFaults, slowDisks, smallLimits } from "./faults.ts";
import { checkConverged, checkRest, heal } from "./healing.ts";
import { liveBeyondHorizon } from "./horizon-life.ts";
import { liveByWrongClocks } from "./clock-life.ts";
import { drawNetwork } from "./network.ts";
import { scheduleSessions } from "./sessions.ts";
import { scheduleWork } from "./work.ts";
import { World } from "./world.ts";

/** What went wrong in a simulation; empty if nothing. */
export interface Outcome {
  readonly violations: readonly string[];
  readonly acknowledged: number;
  /** What clients waited for, and how much of it came. */
  readonly asked: Promises;
  readonly reached: Promises;
  /** Entries that ended in a quarantine. */
  readonly quarantined: number;
}

const FAULTS_MS = 12_000;

/**
 * What may go wrong: everything; only that nodes restart with their clocks set anew, and the directory's is set; or
 * everything but wrong clocks, where tombstones are kept for seconds, and nodes and directories are away for longer; or clocks
 * that are wrong by anything in a minority of the machines, where what has expired is emptied at once.
 */
export type Faults = "all" | "clocks" | "horizon" | "time";

/** What a seed is tried with: every fifth forgets tombstones, and another fifth is about wrong clocks. */
export function faultsOf(seed: number): Faults {
  if (seed % 5 === 0) return "horizon";
  return seed % 5 === 1 ? "time" : "all";
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
  await heal(cluster);
  const violations = [
    ...cluster.auditor.violations,
    ...checkConverged(cluster),
    ...checkAcknowledged(cluster),
    ...checkContents(cluster),
    ...checkCursors(cluster),
    ...checkStamps(cluster),
    ...(await checkRest(cluster)),
  ];
  const { asked, reached } = cluster.auditor;
  const acknowledged = cluster.acknowledged.length;
  return { violations, acknowledged, asked, reached, quarantined: 0 };
}

/**
 * Of every key that was acknowledged to anyone, what is there is the newest of those writes, or newer, and has not been
 * replaced by another one of them. Nothing is forgotten before the horizon: a deleted key has its tombstone.
 */
function checkAcknowledged(cluster: SimulatedCluster): string[] {
  const violations: string[] = [];
  const { names, acknowledged } = cluster;
  const replaced = new Map<string, string>();
  for (const { name, over } of acknowledged) if (over !== undefined) replaced.set(over, name);
  for (const { id, process } of cluster.nodes) {
    for (const { name: written, key } of acknowledged) {
      const entry = process?.store.get(key);
      const name = entry && names.nameOf(entry.stamp);
      const by = name && replaced.get(name);
      if (entry === undefined) violations.push(`${id}: ${key} is lost`);
      else if (by !== undefined) violations.push(`${id}: ${key} is back at ${name}, after ${by}`);
      else if (!names.isAtLeast(entry.stamp, written)) {
        violations.push(`${id}: ${key} is ${name}, although ${written} is newer`);
      }
    }
  }
  return violations;
}
