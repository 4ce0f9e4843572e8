/** Waits until all writes that were made before the wait have arrived everywhere. */
import type { Party } from "./party.ts";

const PAUSE_MS = 50;

/** The clock and the pauses of a comparison. */
export interface Pace {
  /** Milliseconds since any moment; never goes back. */
  readonly elapsedMs: () => number;
  /** Resolves after that many milliseconds; rejects as soon as nobody waits any more. */
  readonly pause: (ms: number) => Promise<void>;
}

/**
 * Waits for three steps: every node hands its present writes to a directory; every directory has its own log and follows the others' through their
 * present heads; every node applies its directory's log through the present head. Resolves to the parties that have not done so after `patienceMs`.
 */
export async function settle(
  directories: readonly Party[],
  nodes: readonly Party[],
  patienceMs: number,
  pace: Pace,
): Promise<readonly Party[]> {
  const endMs = pace.elapsedMs() + patienceMs;
  const written = new Map(
    await Promise.all(
      nodes.map(async (node) => [node, (await node.nodeProgress()).outboxThrough] as const),
    ),
  );
  const keepsWrites = await waitFor(nodes, endMs, pace, async (node) => {
    const { outboxAcknowledged } = await node.nodeProgress();
    return outboxAcknowledged >= (written.get(node) ?? 0);
  });
  const ordered = await headsOf(directories);
  const lacksLogs = await waitFor(directories, endMs, pace, async (directory) => {
    const { logId, head, peers } = await directory.logProgress();
    const has = (log: number, through: number): boolean => through >= (ordered.get(log) ?? 0);
    return has(logId, head) && peers.every((peer) => has(peer.logId, peer.applied));
  });
  const heads = await headsOf(directories);
  const lacksEntries = await waitFor(nodes, endMs, pace, async (node) => {
    const { logId, applied } = await node.nodeProgress();
    return applied >= (heads.get(logId) ?? Infinity);
  });
  return [...new Set([...lacksLogs, ...keepsWrites, ...lacksEntries])];
}

/** The last sequence of each log, by the log's id: the highest that one of its directories has. */
async function headsOf(directories: readonly Party[]): Promise<ReadonlyMap<number, number>> {
  const logs = await Promise.all(directories.map((directory) => directory.logProgress()));
  const heads = new Map<number, number>();
  for (const { logId, head } of logs) heads.set(logId, Math.max(head, heads.get(logId) ?? 0));
  return heads;
}

/** Resolves to those of which it does not hold when the time is over. */
async function waitFor(
  parties: readonly Party[],
  endMs: number,
  { elapsedMs, pause }: Pace,
  holds: (party: Party) => Promise<boolean>,
): Promise<readonly Party[]> {
  let left = parties;
  for (;;) {
    const held = await Promise.all(left.map(holds));
    left = left.filter((_, index) => held[index] !== true);
    if (left.length === 0 || elapsedMs() >= endMs) return left;
    await pause(PAUSE_MS);
  }
}
