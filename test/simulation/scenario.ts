/** One simulated life of a cluster, drawn from a seed: work, faults, healing, and what must then be true. */
import { DIRECTORY } from "./bounds.ts";
import { checkContents, checkCursors, checkStamps } from "./checks.ts";
import {
  HONEST_PARTS,
  SimulatedCluster,
  type ClusterParts,
  type SimulatedNode,
} from "./cluster.ts";
import type { CutWays } from "./network.ts";
import { scheduleSessions } from "./sessions.ts";
import { World } from "./world.ts";

/** What went wrong in a simulation; empty if nothing. */
export interface Outcome {
  readonly violations: readonly string[];
  readonly acknowledged: number;
}

const FAULTS_MS = 12_000;
const HEALING_MS = 60_000;
/** What a commit takes at most in one cluster of four. */
const SLOW_COMMIT_MS = 40;
/** Longer than a message takes, a commit and a heartbeat. */
const REST_MS = 1_200;

/** What may go wrong: everything, or only that nodes restart with their clocks set anew, and the directory's is set. */
export type Faults = "all" | "clocks";

/** Runs the simulation of `seed`. One at a time: parts may change the machines while it runs. */
export async function simulate(
  seed: number,
  parts: ClusterParts = HONEST_PARTS,
  faults: Faults = "all",
): Promise<Outcome> {
  const restore = parts.patch?.();
  try {
    return await live(seed, parts, faults);
  } finally {
    restore?.();
  }
}

async function live(seed: number, parts: ClusterParts, faults: Faults): Promise<Outcome> {
  const world = new World(seed);
  const isLossy = world.chance(0.3);
  const cluster = new SimulatedCluster(
    world,
    3 + world.below(3),
    {
      delayMs: [world.between(0, 5), world.between(5, 120)],
      loss: isLossy ? world.between(0, 0.02) : 0,
      duplication: isLossy ? world.between(0, 0.05) : 0,
      reorder: isLossy && world.chance(0.5),
      bytesPerSecond: world.pick([20_000, 1_000_000]),
    },
    parts,
  );
  const { nodes } = cluster;
  if (seed % 4 === 3) cluster.commitMs = SLOW_COMMIT_MS;
  cluster.startDirectory();
  for (const node of nodes) {
    node.machine.skewMs = world.chance(0.3)
      ? world.between(-10_000, 10_000)
      : world.between(-50, 50);
    cluster.startNode(node);
  }
  scheduleWork(cluster);
  scheduleFaults(cluster, faults === "all" ? allFaults(cluster) : clockFaults(cluster));
  await world.run(FAULTS_MS);
  await heal(cluster);
  const violations = [
    ...cluster.auditor.violations,
    ...checkConverged(cluster),
    ...checkAcknowledged(cluster),
    ...checkContents(cluster),
    ...checkCursors(cluster),
    ...checkStamps(cluster),
  ];
  return { violations, acknowledged: cluster.acknowledged.length };
}

function scheduleWork(cluster: SimulatedCluster): void {
  const { world, nodes } = cluster;
  const keys = Array.from({ length: 3 + world.below(40) }, (_, index) => `key-${index}`);
  const everyMs = world.between(15, 120);
  let count = 0;
  const work = (): void => {
    if (world.nowMs > FAULTS_MS) return;
    for (let burst = world.below(4); burst >= 0; burst -= 1) {
      count += 1;
      const value = world.chance(0.2) ? undefined : `value-${count}`.padEnd(world.below(200));
      const ttlMs = world.chance(0.2) ? world.between(1, 5_000) : 0;
      cluster.write(world.pick(nodes), world.pick(keys), value, ttlMs);
    }
    world.schedule(world.between(0, 2 * everyMs), work);
  };
  work();
  scheduleSessions(cluster, keys, FAULTS_MS);
}

function scheduleFaults(cluster: SimulatedCluster, faults: readonly (() => void)[]): void {
  const { world } = cluster;
  const everyMs = world.between(300, 2_500);
  const strike = (): void => {
    if (world.nowMs > FAULTS_MS) return;
    world.pick(faults)();
    world.schedule(world.between(0, 2 * everyMs), strike);
  };
  world.schedule(world.between(0, 2 * everyMs), strike);
}

function allFaults(cluster: SimulatedCluster): (() => void)[] {
  // Restoring a node and replacing the directory at once may rightly lose data: nobody has it any more.
  const losesNodes = cluster.world.chance(0.5);
  return [...commonFaults(cluster), ...(losesNodes ? nodeLoss(cluster) : logLoss(cluster))];
}

function clockFaults(cluster: SimulatedCluster): (() => void)[] {
  const { world, nodes } = cluster;
  const restart = (): void => {
    const node = world.pick(nodes);
    cluster.killNode(node);
    node.machine.skewMs = world.between(-9_000, 9_000);
    world.schedule(world.between(0, 500), () => cluster.startNode(node));
  };
  const setDirectory = (): void => {
    cluster.directoryMachine.skewMs = world.between(-3_600_000, 3_600_000);
  };
  return [restart, restart, restart, setDirectory];
}

function commonFaults(cluster: SimulatedCluster): (() => void)[] {
  const { world, nodes, network } = cluster;
  const later = (low: number, high: number, run: () => void): void =>
    world.schedule(world.between(low, high), run);
  const restart = (node: SimulatedNode): void => {
    cluster.killNode(node);
    later(0, 4_000, () => cluster.startNode(node));
  };
  const cut = (host: string, ways?: CutWays): void => {
    network.cut(host, ways);
    later(50, 5_000, () => network.heal(host));
  };
  return [
    () => restart(world.pick(nodes)),
    () => restart(world.pick(nodes)),
    () => cut(world.pick(nodes).id),
    () => cut(world.pick(nodes).id),
    () => cut(world.pick(nodes).id, world.pick(["in", "out"])),
    () => network.breakLinks(world.pick(nodes).id),
    () => cut(DIRECTORY),
    () => {
      cluster.killDirectory();
      later(0, 3_000, () => cluster.startDirectory());
    },
    () => {
      world.pick(nodes).machine.skewMs = world.between(-3_600_000, 3_600_000);
    },
    () => {
      const farMs = world.pick([10_000, 3_600_000]);
      cluster.directoryMachine.skewMs = world.between(-farMs, farMs);
    },
    () => cluster.killWithin(world.pick(nodes).id, 1 + world.below(30)),
    () => cluster.killWithin(DIRECTORY, 1 + world.below(60)),
    () => {
      const { process } = world.pick(nodes);
      if (process === undefined) return;
      process.store.full = true;
      later(50, 1_500, () => {
        process.store.full = false;
      });
    },
  ];
}

function nodeLoss(cluster: SimulatedCluster): (() => void)[] {
  const { world, nodes } = cluster;
  return [
    () => cluster.backUpNode(world.pick(nodes)),
    () => {
      const node = world.pick(nodes);
      cluster.restoreNode(node);
      world.schedule(world.between(0, 2_000), () => cluster.startNode(node));
    },
    // What the directory had passed on and not committed is then with nobody but the others.
    () => {
      const node = world.pick(nodes);
      cluster.killDirectory();
      cluster.restoreNode(node);
      world.schedule(world.between(0, 2_000), () => cluster.startNode(node));
      world.schedule(world.between(0, 2_000), () => cluster.startDirectory());
    },
  ];
}

function logLoss(cluster: SimulatedCluster): (() => void)[] {
  const { world } = cluster;
  const comeBack = (): void =>
    world.schedule(world.between(0, 2_000), () => cluster.startDirectory());
  return [
    () => cluster.backUpDirectory(),
    () => {
      cluster.restoreDirectory();
      comeBack();
    },
    () => {
      if (!world.chance(0.3)) return;
      cluster.replaceDirectory();
      comeBack();
    },
  ];
}

/** Mends everything and waits until nothing moves any more. */
async function heal(cluster: SimulatedCluster): Promise<void> {
  const { world, network, nodes } = cluster;
  cluster.spare();
  await world.run(world.nowMs + 6_000);
  // Nothing can be proven of a network that goes on losing messages for ever.
  network.faults = { ...network.faults, loss: 0, duplication: 0, reorder: false };
  network.heal(DIRECTORY);
  cluster.startDirectory();
  for (const node of nodes) {
    network.heal(node.id);
    cluster.startNode(node);
    if (node.process !== undefined) node.process.store.full = false;
  }
  const untilMs = world.nowMs + HEALING_MS;
  while (world.nowMs < untilMs && !(await isAtRest(cluster))) await world.run(world.nowMs + 500);
}

/** Whether all are level, and stay so without anything being written. */
async function isAtRest(cluster: SimulatedCluster): Promise<boolean> {
  if (!isConverged(cluster)) return false;
  const head = cluster.directoryInfo()?.head;
  await cluster.world.run(cluster.world.nowMs + REST_MS);
  const isResting = cluster.directoryInfo()?.head === head;
  if (!isResting) cluster.auditor.report("the log grows although nobody writes");
  return isResting && isConverged(cluster);
}

function isConverged(cluster: SimulatedCluster): boolean {
  return (
    cluster.isQuiet() && new Set(cluster.digests().map((digest) => digest.fingerprint)).size === 1
  );
}

function checkConverged(cluster: SimulatedCluster): string[] {
  if (!cluster.isQuiet()) {
    const states = cluster.nodes.map(({ id, process }) =>
      JSON.stringify({ id, status: process?.replica.status, ...process?.replica.info() }),
    );
    return [`not quiet: ${states.join("\n  ")}`];
  }
  const prints = cluster.digests().map(({ count, fingerprint }) => `${count}:${fingerprint}`);
  return new Set(prints).size === 1 ? [] : [`digests differ: ${prints.join(" ")}`];
}

/**
 * Every acknowledged write is there, unless another one has replaced it: the final write of a key is none
 * that an acknowledged one had already replaced. A lost write and an undone delete both break that.
 */
function checkAcknowledged(cluster: SimulatedCluster): string[] {
  const violations: string[] = [];
  const replaced = new Map<string, string>();
  for (const { name, over } of cluster.acknowledged) {
    if (over !== undefined) replaced.set(over, name);
  }
  // What is deleted or has expired may as well be unknown.
  const faded = new Set<string>();
  for (const { name, key, fades } of cluster.acknowledged) {
    if (fades && !replaced.has(name)) faded.add(key);
  }
  const keys = new Set(cluster.acknowledged.map(({ key }) => key));
  for (const { id, process } of cluster.nodes) {
    for (const key of keys) {
      const entry = process?.store.get(key);
      const name = entry && cluster.names.nameOf(entry.stamp);
      const by = name && replaced.get(name);
      if (name === undefined) {
        if (!faded.has(key)) violations.push(`${id}: ${key} is lost`);
      } else if (by !== undefined) violations.push(`${id}: ${key} is back at ${name}, after ${by}`);
    }
  }
  return violations;
}
