/** One simulated life of a cluster, drawn from a seed: work, faults, healing, and what must then be true. */
import {
  HONEST_PARTS,
  SimulatedCluster,
  type ClusterParts,
  type SimulatedNode,
} from "./cluster.ts";
import { checkForgetting, checkForgotten } from "./horizon-checks.ts";
import { World } from "./world.ts";

/** What went wrong in a simulation; empty if nothing. */
export interface Outcome {
  readonly violations: readonly string[];
  readonly acknowledged: number;
  /** Entries that ended in a quarantine. */
  readonly quarantined: number;
}

const FAULTS_MS = 12_000;
/** Several horizons. */
const LONG_FAULTS_MS = 25_000;
const HEALING_MS = 60_000;

/**
 * What may go wrong: everything; only that nodes restart with their clocks set anew, and the directory's is set; or
 * everything but wrong clocks where tombstones are kept for a few seconds, and nodes and directories are away for longer.
 */
export type Faults = "all" | "clocks" | "horizon";

/** Which faults a seed is tried with: every third one forgets tombstones. */
export function faultsOf(seed: number): Faults {
  return seed % 3 === 0 ? "horizon" : "all";
}

/** Runs the simulation of `seed`. */
export async function simulate(
  seed: number,
  parts: ClusterParts = HONEST_PARTS,
  faults: Faults = "all",
): Promise<Outcome> {
  if (faults === "horizon") return simulateHorizon(seed, parts);
  const world = new World(seed);
  const cluster = makeCluster(world, parts, 20_000);
  const { nodes } = cluster;
  cluster.startDirectory();
  for (const node of nodes) {
    node.machine.skewMs = world.chance(0.3)
      ? world.between(-10_000, 10_000)
      : world.between(-50, 50);
    cluster.startNode(node);
  }
  scheduleWork(cluster, FAULTS_MS, 3 + world.below(40), 0.2);
  scheduleFaults(cluster, FAULTS_MS, faults === "all" ? allFaults(cluster) : clockFaults(cluster));
  await world.run(FAULTS_MS);
  await heal(cluster);
  const violations = [...checkConverged(cluster), ...checkAcknowledged(cluster)];
  return { violations, acknowledged: cluster.acknowledged.length, quarantined: 0 };
}

function makeCluster(
  world: World,
  parts: ClusterParts,
  slowest: number,
  horizonMs?: number,
): SimulatedCluster {
  const isLossy = world.chance(0.3);
  const faults = {
    delayMs: [world.between(0, 5), world.between(5, 120)],
    loss: isLossy ? world.between(0, 0.02) : 0,
    duplication: isLossy ? world.between(0, 0.05) : 0,
    reorder: isLossy && world.chance(0.5),
    bytesPerSecond: world.pick([slowest, 1_000_000]),
  } as const;
  return new SimulatedCluster(world, 3 + world.below(3), faults, parts, horizonMs);
}

/** A life in which tombstones are forgotten after a few seconds, and many are away for longer than that. */
async function simulateHorizon(seed: number, parts: ClusterParts): Promise<Outcome> {
  const world = new World(seed);
  const horizonMs = world.between(2_000, 5_000);
  // Many keys at once take a link that carries a whole frame within a lease.
  const cluster = makeCluster(world, parts, 200_000, horizonMs);
  const { nodes } = cluster;
  cluster.startDirectory();
  for (const node of nodes) {
    node.machine.skewMs = world.between(-50, 50);
    cluster.startNode(node);
  }
  const watch = (): void => {
    cluster.watchAway();
    if (world.chance(0.3)) cluster.sweep();
    world.schedule(50, watch);
  };
  watch();
  // Where hardly anything is deleted, hardly anything is purged, and who was away for long is fed and does not reconcile.
  const ends = world.chance(0.3) ? 0.01 : 0.2;
  // Keys that rest for longer than the horizon are those that it is about.
  const keys = world.chance(0.5) ? 3 + world.below(40) : 100 + world.below(300);
  scheduleWork(cluster, LONG_FAULTS_MS, keys, ends);
  scheduleFaults(cluster, LONG_FAULTS_MS, horizonFaults(cluster));
  await world.run(LONG_FAULTS_MS);
  await heal(cluster);
  const violations = [...checkConverged(cluster), ...checkForgetting(cluster)];
  // Long enough for a directory that was lost at the last moment, and for what was ordered since.
  await world.run(world.nowMs + 4 * horizonMs + 20_000);
  violations.push(...checkConverged(cluster), ...checkForgetting(cluster));
  violations.push(...checkForgotten(cluster));
  const quarantined = nodes.reduce((sum, { disk }) => sum + disk.quarantine.size, 0);
  return { violations, acknowledged: cluster.acknowledged.length, quarantined };
}

/** `ends` is how likely a write is to be a delete, and how likely to expire. */
function scheduleWork(
  cluster: SimulatedCluster,
  untilMs: number,
  size: number,
  ends: number,
): void {
  const { world, nodes } = cluster;
  const keys = Array.from({ length: size }, (_, index) => `key-${index}`);
  const everyMs = world.between(5, 60);
  let count = 0;
  const work = (): void => {
    if (world.nowMs > untilMs) return;
    for (let burst = world.below(4); burst >= 0; burst -= 1) {
      count += 1;
      const value = world.chance(ends) ? undefined : `value-${count}`.padEnd(world.below(200));
      const ttlMs = world.chance(ends) ? world.between(1, 5_000) : 0;
      cluster.write(world.pick(nodes), world.pick(keys), value, ttlMs);
    }
    world.schedule(world.between(0, 2 * everyMs), work);
  };
  work();
}

function scheduleFaults(
  cluster: SimulatedCluster,
  untilMs: number,
  faults: readonly (() => void)[],
): void {
  const { world } = cluster;
  const everyMs = world.between(300, 2_500);
  const strike = (): void => {
    if (world.nowMs > untilMs) return;
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

function horizonFaults(cluster: SimulatedCluster): (() => void)[] {
  const { world, nodes, network, horizonMs } = cluster;
  const away = (): number => world.between(0.2, 3) * horizonMs;
  const restartLate = (): void => {
    const node = world.pick(nodes);
    cluster.killNode(node);
    world.schedule(away(), () => cluster.startNode(node));
  };
  const cutLong = (): void => {
    const { id } = world.pick(nodes);
    network.cut(id);
    world.schedule(away(), () => network.heal(id));
  };
  const losesNodes = world.chance(0.5);
  return [
    ...processFaults(cluster),
    ...(losesNodes ? nodeLoss(cluster) : logLoss(cluster)),
    restartLate,
    restartLate,
    cutLong,
    cutLong,
    () => {
      cluster.killDirectory();
      world.schedule(away() / 2, () => cluster.startDirectory());
    },
  ];
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
  const { world, nodes } = cluster;
  const setClock = (): void => {
    world.pick(nodes).machine.skewMs = world.between(-3_600_000, 3_600_000);
  };
  const faults = processFaults(cluster);
  return [...faults.slice(0, -1), setClock, ...faults.slice(-1)];
}

function processFaults(cluster: SimulatedCluster): (() => void)[] {
  const { world, nodes, network } = cluster;
  const later = (low: number, high: number, run: () => void): void =>
    world.schedule(world.between(low, high), run);
  const restart = (node: SimulatedNode): void => {
    cluster.killNode(node);
    later(0, 4_000, () => cluster.startNode(node));
  };
  const cut = (host: string): void => {
    network.cut(host);
    later(50, 5_000, () => network.heal(host));
  };
  return [
    () => restart(world.pick(nodes)),
    () => restart(world.pick(nodes)),
    () => cut(world.pick(nodes).id),
    () => cut(world.pick(nodes).id),
    () => network.breakLinks(world.pick(nodes).id),
    () => cut("directory"),
    () => {
      cluster.killDirectory();
      later(0, 3_000, () => cluster.startDirectory());
    },
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
  await world.run(world.nowMs + 6_000);
  // Nothing can be proven of a network that goes on losing messages for ever.
  network.faults = { ...network.faults, loss: 0, duplication: 0, reorder: false };
  network.heal("directory");
  cluster.startDirectory();
  for (const node of nodes) {
    network.heal(node.id);
    cluster.startNode(node);
    if (node.process !== undefined) node.process.store.full = false;
  }
  const untilMs = world.nowMs + HEALING_MS;
  while (world.nowMs < untilMs && !isConverged(cluster)) await world.run(world.nowMs + 500);
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
  const keys = new Set(cluster.acknowledged.map(({ key }) => key));
  for (const { id, process } of cluster.nodes) {
    for (const key of keys) {
      const entry = process?.store.get(key);
      const name = entry && cluster.names.nameOf(entry.stamp);
      const by = name && replaced.get(name);
      if (name === undefined) violations.push(`${id}: ${key} is lost`);
      else if (by !== undefined) violations.push(`${id}: ${key} is back at ${name}, after ${by}`);
    }
  }
  return violations;
}
