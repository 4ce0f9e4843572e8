/** What must hold once everything is mended and nothing moves any more. */
import { compareStamps, unixMsOf, type Entry } from "@meridian/protocol";

import type { SimulatedCluster } from "./cluster.ts";
import { START_MS } from "./world.ts";

/**
 * How far a stamp may lie ahead of what the directory's clock has ever shown. Where that was set back, the stamps of
 * nodes whose clocks were right may follow each other further ahead, as far as time has gone on since.
 */
const STAMP_AHEAD_MS = 60_000;

/** Equal stamps stand for equal entries: what digests, which know stamps only, cannot tell. */
export function checkContents(cluster: SimulatedCluster): string[] {
  const violations: string[] = [];
  for (const [key, { entry }] of cluster.logDisk.entries) {
    for (const { id, disk } of cluster.nodes) {
      const held = disk.entries.get(key);
      if (held === undefined || compareStamps(held.stamp, entry.stamp) !== 0) continue;
      if (!isSame(held, entry)) violations.push(`${id}: ${key} is not what it is in the log`);
    }
  }
  return violations;
}

/** No node stands where the log is not. */
export function checkCursors({ nodes, logDisk }: SimulatedCluster): string[] {
  return nodes.flatMap(({ id, disk: { cursor } }) =>
    cursor?.logId === logDisk.logId && cursor.sequence > logDisk.committedThrough
      ? [`${id}: cursor at ${cursor.sequence}, log at ${logDisk.committedThrough}`]
      : [],
  );
}

/** Stamps stay close to time, however wrong the clocks of nodes were. */
export function checkStamps({ logDisk, auditor }: SimulatedCluster): string[] {
  const boundMs = auditor.latestDirectoryMs + STAMP_AHEAD_MS;
  return [...logDisk.entries.values()].flatMap(({ entry: { key, stamp } }) => {
    const aheadMs = unixMsOf(stamp.time) - START_MS - boundMs;
    return aheadMs > 0 ? [`${key}: stamp ${aheadMs} ms too far ahead`] : [];
  });
}

function isSame(a: Entry, b: Entry): boolean {
  return (
    a.deleted === b.deleted &&
    a.expiresAtMs === b.expiresAtMs &&
    a.value.length === b.value.length &&
    a.value.every((byte, index) => byte === b.value[index])
  );
}
