import { DIRECTORY } from "./bounds.ts";
import type { SimulatedCluster } from "./cluster.ts";

const HEALING_MS = 60_000;
/** Longer than a message takes, a commit and a heartbeat. */
const REST_MS = 1_200;

/** Mends everything and waits until nothing moves any more. */
export async function heal(cluster: SimulatedCluster): Promise<void> {
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

/** Whether all hold the same, and have nothing left to say. */
export function checkConverged(cluster: SimulatedCluster): string[] {
  if (!cluster.isQuiet()) {
    const states = cluster.nodes.map(({ id, process }) =>
      JSON.stringify({ id, status: process?.replica.status, ...process?.replica.info() }),
    );
    return [`not quiet: ${states.join("\n  ")}`];
  }
  const prints = cluster.digests().map(({ count, fingerprint }) => `${count}:${fingerprint}`);
  return new Set(prints).size === 1 ? [] : [`digests differ: ${prints.join(" ")}`];
}
