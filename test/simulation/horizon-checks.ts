import { compareStamps, unixMsOf, type Entry } from "@meridian/protocol";

import type { AcknowledgedWrite } from "./acknowledged-writes.ts";
import { longestAwayMs } from "./away.ts";
import type { SimulatedCluster, SimulatedNode } from "./cluster.ts";
import { fades } from "./fading.ts";
import { START_MS } from "./world.ts";

/** How far the length of an absence is inexact, because of clocks and message delays, in milliseconds. */
const BLUR_MS = 400;

/**
 * Checks the guarantees with purged tombstones: an acknowledged write is on all nodes, or was replaced by a newer one, or
 * is gone because it, or a newer one that was durable, was a delete or has expired, or is in a quarantine. The quarantine is allowed only for a write
 * whose node was away for longer than the horizon, or took longer than four horizons to hand the write over. A delete is never undone.
 */
export function checkForgetting(cluster: SimulatedCluster): string[] {
  const violations: string[] = [];
  const quarantined = new Set(cluster.nodes.flatMap((node) => cluster.quarantinedNames(node)));
  const horizon = cluster.highestHorizon;
  for (const write of cluster.acknowledged) {
    // If another write of the key has taken the place of this one in its frame, that one is in the quarantine.
    const isQuarantined =
      quarantined.has(write.name) || quarantined.has(cluster.names.lastOf(write.name));
    const { node } = write;
    const awayMs = Math.round(longestAwayMs(node, write.atMs - BLUR_MS));
    const isLate = write.atMs <= node.away.lateThroughMs;
    const mayBe = isLate || awayMs >= cluster.horizonMs - BLUR_MS;
    if (isQuarantined && !mayBe && !cluster.isReplaced(write.key, write.name)) {
      violations.push(
        `${node.id}: ${write.key} at ${write.name} is quarantined, away ${awayMs} ms at most`,
      );
    }
    if (isQuarantined) continue;
    for (const each of cluster.nodes) {
      const why = missing(cluster, write, cluster.entryOf(each, write.key, horizon));
      if (why !== undefined) violations.push(`${each.id}: ${write.key} at ${write.name} ${why}`);
    }
  }
  return violations;
}

function missing(
  cluster: SimulatedCluster,
  write: AcknowledgedWrite,
  found: Entry | undefined,
): string | undefined {
  if (found !== undefined) {
    const isThere = compareStamps(found.stamp, cluster.names.stampOf(write.name)) >= 0;
    return isThere ? undefined : `is undone: ${cluster.names.nameOf(found.stamp)}`;
  }
  if (write.fades || cluster.ledger.fades(write.name)) return undefined;
  return cluster.isReplaced(write.key, write.name) ? undefined : "is lost";
}

/** Checks that without further writes all tombstones and expired entries are purged in the end. */
export function checkForgotten(cluster: SimulatedCluster): string[] {
  const live = cluster.nodes.map((node) => liveOf(node, cluster.world.nowMs));
  const sizes = cluster.sizes();
  const expected = [...cluster.directories.map(() => Math.max(...live)), ...live];
  return sizes.join() === expected.join()
    ? []
    : [`entries held ${sizes.join()}, of which mean something ${expected.join()}`];
}

/** How many entries of a node have to stay: those that do not fade, and those whose stamps or ends are ahead of time, as of a wrong clock. */
function liveOf({ disk }: SimulatedNode, nowMs: number): number {
  const trueMs = START_MS + nowMs;
  const isAhead = ({ stamp, expiresAtMs }: Entry): boolean =>
    unixMsOf(stamp.time) > trueMs || expiresAtMs > trueMs;
  return [...disk.entries.values()].filter((entry) => !fades(entry) || isAhead(entry)).length;
}
