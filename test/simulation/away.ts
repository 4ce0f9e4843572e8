import { unixMsOf } from "@meridian/protocol";
import type { ReplicaInfo } from "@meridian/replication";

import type { SimulatedCluster, SimulatedNode } from "./cluster.ts";
import { START_MS } from "./world.ts";

/** How long a node has to be connected before it counts as back. */
const BACK_FOR_GOOD_MS = 1_000;

/** The longest absence of a node that ended at `atMs` or later. After an absence that ended before, the node has handed over its writes. */
export function longestAwayMs({ away }: SimulatedNode, atMs: number): number {
  const later = [...away.spells].filter(([sinceMs, lengthMs]) => sinceMs + lengthMs >= atMs);
  return Math.max(0, ...later.map(([, lengthMs]) => lengthMs));
}

/** For how many lengths of the horizon a horizon waits for the outbox of a connected node; and by how many milliseconds that time is inexact. */
const WAITS = 4;
const BLUR_MS = 800;

/** Records in `lateThroughMs` that the node's outbox has a frame so old that a horizon may have stopped waiting for it. */
function watchLate(
  { away, disk }: SimulatedNode,
  info: ReplicaInfo | undefined,
  nowMs: number,
  horizonMs: number,
): void {
  if (info === undefined || info.outboxPending === 0) return;
  const handedOver = info.outboxThrough - info.outboxPending;
  const oldest = disk.outbox.find(({ position }) => position > handedOver);
  if (oldest === undefined) return;
  const lateMs = nowMs - WAITS * horizonMs + BLUR_MS;
  if (unixMsOf(oldest.highestTime) - START_MS < lateMs) away.lateThroughMs = lateMs;
}

/** Records which nodes are away: not connected to a directory that is connected to all others, or not level with it. */
export function watchAway(cluster: SimulatedCluster): void {
  const { network, world, directories, nodes } = cluster;
  const meet = (host: string, other: string): boolean =>
    host === other || (network.passes(host, other) && network.passes(other, host));
  const hosts = directories.map(({ host }) => host);
  const areDirectoriesThere = directories.every(
    ({ host, process }) =>
      hosts.every((other) => meet(host, other)) &&
      process?.machine.info().peers.every((each) => each.connected && !each.reconciling) === true,
  );
  for (const node of nodes) {
    const { id, process, away } = node;
    const info = process?.replica.info();
    watchLate(node, info, world.nowMs, cluster.horizonMs);
    const own = directories.find(({ disk }) => disk.logId === info?.logId);
    const isThere =
      areDirectoriesThere &&
      info?.connected === true &&
      !info.reconciling &&
      own !== undefined &&
      meet(id, own.host);
    away.backMs = isThere ? (away.backMs ?? world.nowMs) : undefined;
    if (!isThere) away.sinceMs ??= world.nowMs;
    if (away.sinceMs === undefined) continue;
    const awayMs = (away.backMs ?? world.nowMs) - away.sinceMs;
    away.spells.set(away.sinceMs, awayMs);
    // A node that comes back for a moment has not handed over its writes.
    if (away.backMs !== undefined && world.nowMs - away.backMs > BACK_FOR_GOOD_MS) {
      away.sinceMs = undefined;
    }
  }
}
