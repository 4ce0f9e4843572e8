/** A simulation of a cluster whose log is in a stream: one directory orders, all serve. */
import { SimulatedCluster } from "../cluster.ts";
import { end } from "../ending.ts";
import {
  astrayFaults,
  machineFaults,
  nodeLoss,
  scheduleFaults,
  slowDisks,
  smallLimits,
} from "../faults.ts";
import { drawNetwork } from "../network.ts";
import type { ClusterParts } from "../parts.ts";
import type { Outcome } from "../scenario.ts";
import { scheduleSessions } from "../sessions.ts";
import { scheduleWork } from "../work.ts";
import { STREAM_REACTIONS, World } from "../world.ts";
import { drawNats } from "./nats.ts";
import { STREAM_FAULT_EVERY_MS, streamFaults, streamLoss } from "./stream-faults.ts";
import { checkOneLog } from "./stream-checks.ts";

/** How long there are faults: long enough for several directories to take over. */
const FAULTS_MS = 25_000;

/** Runs the simulation of `seed`. */
export async function liveOverStream(
  seed: number,
  parts: ClusterParts,
  directories: number,
  setsClocks: boolean = false,
): Promise<Outcome> {
  const world = new World(seed);
  world.reactions = STREAM_REACTIONS;
  const network = drawNetwork(world, world.chance(0.3), 20_000);
  const size = { nodes: 3 + world.below(3), directories, nats: drawNats(world) };
  const cluster = new SimulatedCluster(world, size, network, parts);
  const { nodes, over } = cluster;
  if (over === undefined) throw new Error("Expected a cluster over a stream");
  slowDisks(cluster, seed);
  smallLimits(cluster, seed);
  for (const directory of cluster.directories) cluster.startDirectory(directory);
  for (const node of nodes) {
    const offMs = setsClocks && world.chance(0.3) ? 10_000 : 50;
    node.machine.skewMs = world.between(-offMs, offMs);
    cluster.startNode(node);
  }
  const work = { untilMs: FAULTS_MS, size: 3 + world.below(40), ends: 0.2 };
  scheduleSessions(cluster, scheduleWork(cluster, work), FAULTS_MS);
  // If a node is restored and the stream set back at once, data may be lost rightly: no disk has them any more.
  const losesNodes = world.chance(0.5);
  const losses = losesNodes ? nodeLoss(cluster) : streamLoss(cluster, over);
  const machines = setsClocks ? astrayFaults(cluster) : machineFaults(cluster);
  const faults = [...machines, ...streamFaults(cluster, over), ...losses];
  scheduleFaults(cluster, FAULTS_MS, faults, STREAM_FAULT_EVERY_MS);
  await world.run(FAULTS_MS);
  const outcome = await end(cluster);
  const differing = await checkOneLog(cluster, over);
  return { ...outcome, violations: [...outcome.violations, ...differing] };
}
