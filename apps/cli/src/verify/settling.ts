/** Waiting until what was under way when one began to wait has arrived everywhere. */
import { setTimeout } from "node:timers/promises";

import type { Party } from "./party.ts";

const PAUSE_MS = 50;

/**
 * Resolves once every node has handed a directory the writes that it has now, every directory has what the others have
 * after that, and every node has applied what its directory has then; or after `patienceMs`, to those that have not.
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
