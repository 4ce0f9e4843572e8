/** Waits until all writes that were made before the wait have arrived everywhere. */
import { setTimeout } from "node:timers/promises";

import type { Party } from "./party.ts";

const PAUSE_MS = 50;

/**
 * Waits for three steps: every node hands its present writes to a directory; every directory follows the others' logs through their present
 * heads; every node applies its directory's log through the present head. Resolves to the parties that have not done so after `patienceMs`.
 */
export async function settle(
  directories: readonly Party[],
  nodes: readonly Party[],
  patienceMs: number,
): Promise<readonly Party[]> {
  const endMs = performance.now() + patienceMs;
  const written = new Map(
    await Promise.all(
      nodes.map(async (node) => [node, (await node.nodeProgress()).outboxThrough] as const),
    ),
  );
  const keepsWrites = await waitFor(nodes, endMs, async (node) => {
    const { outboxAcknowledged } = await node.nodeProgress();
    return outboxAcknowledged >= (written.get(node) ?? 0);
  });
  const ordered = await headsOf(directories);
  const lacksLogs = await waitFor(directories, endMs, async (directory) => {
    const { peers } = await directory.logProgress();
    return peers.every(({ logId, applied }) => applied >= (ordered.get(logId) ?? 0));
  });
  const heads = await headsOf(directories);
  const lacksEntries = await waitFor(nodes, endMs, async (node) => {
    const { logId, applied } = await node.nodeProgress();
    return applied >= (heads.get(logId) ?? Infinity);
  });
  return [...new Set([...lacksLogs, ...keepsWrites, ...lacksEntries])];
}

/** The last sequence of each directory's log, by the log's id. */
async function headsOf(directories: readonly Party[]): Promise<ReadonlyMap<number, number>> {
  const logs = await Promise.all(directories.map((directory) => directory.logProgress()));
  return new Map(logs.map(({ logId, head }) => [logId, head]));
}

/** Resolves to those of which it does not hold when the time is over. */
async function waitFor(
  parties: readonly Party[],
  endMs: number,
  holds: (party: Party) => Promise<boolean>,
): Promise<readonly Party[]> {
  let left = parties;
  for (;;) {
    const held = await Promise.all(left.map(holds));
    left = left.filter((_, index) => held[index] !== true);
    if (left.length === 0 || performance.now() >= endMs) return left;
    await pause(PAUSE_MS);
  }
}

/** Resolves after `ms` milliseconds; rejects at once where nobody waits for that any more, with why. */
export async function pause(ms: number, stopped?: AbortSignal): Promise<void> {
  stopped?.throwIfAborted();
  try {
    await setTimeout(ms, undefined, stopped === undefined ? {} : { signal: stopped });
  } catch (cause) {
    throw stopped?.reason ?? cause;
  }
}
