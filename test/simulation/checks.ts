/** The invariants that must hold once all faults are over and the cluster is at rest. */
import { compareStamps, unixMsOf, type Entry } from "@meridian/protocol";

import type { SimulatedCluster } from "./cluster.ts";
import { START_MS } from "./world.ts";

/**
 * How far a stamp may lie ahead of the latest time that a directory has used. After that time was set back, the stamps of
 * nodes with right clocks may continue further ahead, by as much as has passed since.
 */
const STAMP_AHEAD_MS = 60_000;

/**
 * Checks that all copies of a write are as it was made, and that equal stamps belong to equal entries. Digests cannot show that, because they
 * cover stamps only.
 */
export function checkContents(cluster: SimulatedCluster): string[] {
  const violations: string[] = [];
  const horizon = cluster.highestHorizon;
  const wrong = (host: string, entry: Entry): void => {
    const what = cluster.ledger.wrongCopy(entry, horizon);
    if (what !== undefined) violations.push(`${host}: ${entry.key} ${what}`);
  };
  for (const { id, disk } of cluster.nodes)
    for (const entry of disk.entries.values()) wrong(id, entry);
  for (const { host, disk } of cluster.directories) {
    for (const { entry } of disk.entries.values()) wrong(host, entry);
  }
  const logged = cluster.directories.flatMap(({ disk }) => [...disk.entries.values()]);
  for (const { entry } of logged) {
    const { key, stamp } = entry;
    for (const { id, disk } of cluster.nodes) {
      const held = disk.entries.get(key);
      if (held === undefined || compareStamps(held.stamp, stamp) !== 0) continue;
      if (!isSame(held, entry)) violations.push(`${id}: ${key} is not what it is in the log`);
    }
  }
  return violations;
}

/**
 * Checks that every node has, of each key with acknowledged writes, the newest of them or a newer write, and none that one of them has
 * replaced. No horizon passes in these simulations, so a deleted key must have its tombstone.
 */
export function checkAcknowledged(cluster: SimulatedCluster): string[] {
  const violations: string[] = [];
  const { names, acknowledged } = cluster;
  const replaced = new Map<string, string>();
  for (const { name, over } of acknowledged) if (over !== undefined) replaced.set(over, name);
  for (const { id, process } of cluster.nodes) {
    for (const { name: written, key } of acknowledged) {
      const entry = process?.store.get(key);
      const name = entry && names.nameOf(entry.stamp);
      const by = name && replaced.get(name);
      // GUARANTEES.md, "No wrong clock destroys a live value": what its node did not hold when it wrote this once more may be newer, and loses.
      if (entry !== undefined && names.isRaised(entry.stamp)) continue;
      if (entry === undefined) violations.push(`${id}: ${key} is lost`);
      else if (by !== undefined) violations.push(`${id}: ${key} is back at ${name}, after ${by}`);
      else if (!names.isAtLeast(entry.stamp, written)) {
        violations.push(`${id}: ${key} is ${name}, although ${written} is newer`);
      }
    }
  }
  return violations;
}

/** Checks that no node's cursor lies after the end of the log. */
export function checkCursors({ nodes, logDisks }: SimulatedCluster): string[] {
  return nodes.flatMap(({ id, disk: { cursor } }) => {
    const log = logDisks.find(({ logId }) => logId === cursor?.logId);
    return cursor !== undefined && log !== undefined && cursor.sequence > log.committedThrough
      ? [`${id}: cursor at ${cursor.sequence}, log at ${log.committedThrough}`]
      : [];
  });
}

/** Checks that stamps stay close to the time that directories use, however wrong the clocks of nodes are. Other simulations check that this time is right. */
export function checkStamps({ directories, auditor }: SimulatedCluster): string[] {
  const boundMs = auditor.latestJudgedMs + STAMP_AHEAD_MS;
  const logged = directories.flatMap(({ disk }) => [...disk.entries.values()]);
  return logged.flatMap(({ entry: { key, stamp } }) => {
    const aheadMs = unixMsOf(stamp.time) - START_MS - boundMs;
    return aheadMs > 0 ? [`${key}: stamp ${aheadMs} ms too far ahead`] : [];
  });
}

function isSame(a: Entry, b: Entry): boolean {
  return (
    a.deleted === b.deleted &&
    a.expiresAtMs === b.expiresAtMs &&
    a.contentType === b.contentType &&
    a.value.length === b.value.length &&
    a.value.every((byte, index) => byte === b.value[index])
  );
}
