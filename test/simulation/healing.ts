import type { SimulatedCluster, SimulatedNode } from "./cluster.ts";
import { digestsOf, headsOf, isQuiet } from "./rest.ts";

const HEALING_MS = 60_000;
/** The same over a stream: whose writer may be lost for half a minute after it was set back, and regions keep their writes meanwhile. */
const STREAM_HEALING_MS = 150_000;
/** Longer than a message, a commit and a heartbeat take together, in milliseconds. */
const REST_MS = 1_200;

/** Ends all faults and waits until the cluster is at rest. */
export async function heal(cluster: SimulatedCluster): Promise<void> {
  const { world, network, nodes } = cluster;
  cluster.spare();
  await world.run(world.nowMs + 6_000);
  // A cluster whose network loses messages for ever may never be at rest.
  network.faults = { ...network.faults, loss: 0, duplication: 0, reorder: false };
  network.healAll();
  cluster.over?.mend();
  cluster.isMended = true;
  cluster.auditor.onMended();
  for (const directory of cluster.directories) cluster.startDirectory(directory);
  for (const node of nodes) {
    cluster.startNode(node);
    if (node.process !== undefined) node.process.store.full = false;
  }
  const healingMs = cluster.over === undefined ? HEALING_MS : STREAM_HEALING_MS;
  const untilMs = world.nowMs + healingMs;
  while (world.nowMs < untilMs) {
    if (await isAtRest(cluster)) return;
    await world.run(world.nowMs + 500);
  }
  if (isConverged(cluster) && strays(cluster).length === 0) {
    cluster.auditor.report("the log grows although nobody writes");
  }
}

/**
 * Whether all nodes are level at the preferred directory, and stay level for a while without a new entry. A node that has just reconciled commits once
 * more, to take back its note that the log may lack something.
 */
async function isAtRest(cluster: SimulatedCluster): Promise<boolean> {
  if (!isConverged(cluster) || strays(cluster).length > 0) return false;
  if (cluster.nodes.some(({ process }) => process?.store.isQuarantining === true)) return false;
  // With several directories, a node that has just gone back may send entries again until the preferred directory says how far it has followed the other.
  if (cluster.directories.length > 1 && cluster.over === undefined) return true;
  const heads = headsOf(cluster);
  await cluster.world.run(cluster.world.nowMs + REST_MS);
  return headsOf(cluster) === heads && isConverged(cluster);
}

/** The nodes that are not at the preferred directory. */
function strays({ nodes, over }: SimulatedCluster): readonly SimulatedNode[] {
  // Over a stream, nodes go to the nearest, wherever that is.
  if (over !== undefined) return [];
  return nodes.filter(({ process }) => process?.replica.info().directory !== 0);
}

function isConverged(cluster: SimulatedCluster): boolean {
  return (
    isQuiet(cluster) && new Set(digestsOf(cluster).map((digest) => digest.fingerprint)).size === 1
  );
}

/** Checks that all hold the same data and have nothing left to send. */
export function checkConverged(cluster: SimulatedCluster): string[] {
  if (!isQuiet(cluster)) {
    const states = cluster.nodes.map(({ id, process }) =>
      JSON.stringify({ id, status: process?.replica.status, ...process?.replica.info() }),
    );
    for (const { host, process } of cluster.directories) {
      states.push(JSON.stringify({ host, ...process?.machine.info() }));
    }
    return [`not quiet: ${states.join("\n  ")}`];
  }
  const prints = digestsOf(cluster).map(({ count, fingerprint }) => `${count}:${fingerprint}`);
  return new Set(prints).size === 1 ? [] : [`digests differ: ${prints.join(" ")}`];
}

/** Checks that all nodes are back at the preferred directory, and that the logs do not grow without writes: no entry circulates among directories. */
export async function checkRest(cluster: SimulatedCluster): Promise<string[]> {
  const { world } = cluster;
  if (cluster.directories.length === 1) return [];
  const away = strays(cluster).map(({ id }) => id);
  if (away.length > 0) return [`not back at the best directory: ${away.join()}`];
  await world.run(world.nowMs + 2_000);
  const before = headsOf(cluster);
  await world.run(world.nowMs + 3_000);
  const after = headsOf(cluster);
  return after === before ? [] : [`logs grow without writes: ${before} to ${after}`];
}
