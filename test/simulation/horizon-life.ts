/** A simulation in which tombstones are purged after a few seconds, and many nodes are away for longer than that. */
import { watchAway } from "./away.ts";
import { checkContents, checkCursors } from "./checks.ts";
import { SimulatedCluster } from "./cluster.ts";
import {
  asksOthers,
  horizonFaults,
  scheduleFaults,
  slowDisks,
  smallLimits,
  wrongClock,
} from "./faults.ts";
import { checkConverged, heal } from "./healing.ts";
import { checkForgetting, checkForgotten } from "./horizon-checks.ts";
import { drawNetwork } from "./network.ts";
import type { ClusterParts } from "./parts.ts";
import type { Outcome } from "./scenario.ts";
import { scheduleSessions } from "./sessions.ts";
import { scheduleWork } from "./work.ts";
import { drawNats } from "./stream/nats.ts";
import { STREAM_FAULT_EVERY_MS, streamFaults } from "./stream/stream-faults.ts";
import { STREAM_REACTIONS, World } from "./world.ts";

/** How long there are faults, in milliseconds: several horizons. */
const FAULTS_MS = 25_000;
/** By when the directories have admitted all nodes, unless a fault delays that; and from then on, how often the wrong clock is set. In milliseconds. */
const SETTLED_MS = 3_000;
const SET_EVERY_MS = 4_000;
/** By which factor the largest frame is larger than in other simulations: these have more keys, which may all be sent again in one frame. */
const MANY_KEYS = 10;
/** How often absences are recorded and purgeable entries removed, in milliseconds: during the faults, and afterwards. */
const WATCH_EVERY_MS = 100;
const WATCH_CALM_MS = 250;
/** A directory beside the one that writes lets its log forget once a minute. */
const BESIDE_PURGES_MS = 80_000;

/** Runs the simulation of `seed`. */
export async function liveBeyondHorizon(
  seed: number,
  parts: ClusterParts,
  directories: number,
  isOverStream: boolean = false,
): Promise<Outcome> {
  const world = new World(seed);
  if (isOverStream) world.reactions = STREAM_REACTIONS;
  const horizonMs = 2_000 + world.below(3_000);
  // A link must carry the largest frame within a lease.
  const network = drawNetwork(world, world.chance(0.3), 200_000);
  const nodes = 3 + world.below(3);
  const size = { nodes, directories, ...(isOverStream && { nats: drawNats(world) }) };
  const cluster = new SimulatedCluster(world, size, network, parts, horizonMs);
  cluster.frameBytes *= MANY_KEYS;
  slowDisks(cluster, seed);
  smallLimits(cluster, seed);
  cluster.asksOthers = asksOthers(seed);
  for (const directory of cluster.directories) cluster.startDirectory(directory);
  for (const node of cluster.nodes) {
    node.machine.skewMs = world.between(-50, 50);
    cluster.startNode(node);
  }
  watch(cluster);
  const keys = scheduleWork(cluster, {
    untilMs: FAULTS_MS,
    // The horizon matters for keys that are not written for longer than a horizon.
    size: world.chance(0.5) ? 3 + world.below(40) : 100 + world.below(300),
    // With few deletes little is purged, and a node that was away for long is fed instead of reconciling.
    ends: world.chance(0.3) ? 0.01 : 0.2,
    outlives: seed % 9 === 4 || seed % 9 === 7,
  });
  if (seed % 2 === 0) scheduleSessions(cluster, keys, FAULTS_MS);
  const setWrong = wrongClock(cluster, seed);
  for (let atMs = SETTLED_MS; atMs < FAULTS_MS; atMs += SET_EVERY_MS)
    world.schedule(atMs, setWrong);
  const { over } = cluster;
  const faults = horizonFaults(cluster);
  if (over === undefined) scheduleFaults(cluster, FAULTS_MS, faults);
  else {
    const all = [...faults, ...streamFaults(cluster, over)];
    scheduleFaults(cluster, FAULTS_MS, all, STREAM_FAULT_EVERY_MS);
  }
  await world.run(FAULTS_MS);
  await heal(cluster);
  const violations = [...checkConverged(cluster), ...checkForgetting(cluster)];
  // A directory that was lost at the last moment, and entries that were ordered since, need this long until they are purged.
  await world.run(world.nowMs + 4 * horizonMs + (over === undefined ? 20_000 : BESIDE_PURGES_MS));
  // What many keys have left is more than the few rows at a time get through.
  cluster.sweep(Infinity);
  violations.push(
    ...cluster.auditor.violations,
    ...checkConverged(cluster),
    ...checkForgetting(cluster),
    ...checkForgotten(cluster),
    ...checkContents(cluster),
    ...checkCursors(cluster),
  );
  const quarantined = cluster.nodes.reduce((sum, { disk }) => sum + disk.quarantine.size, 0);
  const { asked, reached } = cluster.auditor;
  const acknowledged = cluster.acknowledged.length;
  return { violations, acknowledged, asked, reached, quarantined, events: world.events };
}

function watch(cluster: SimulatedCluster): void {
  const { world } = cluster;
  watchAway(cluster);
  if (world.chance(0.6)) cluster.sweep();
  const everyMs = cluster.isMended ? WATCH_CALM_MS : WATCH_EVERY_MS;
  world.schedule(everyMs, () => watch(cluster));
}
