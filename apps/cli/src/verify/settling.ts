/** Waiting until what was under way when one began to wait has arrived everywhere. */
import type { NodeProgress, Party } from "./party.ts";

const PAUSE_MS = 50;

/**
 * Resolves once every node has handed the directory the writes that it has now, and has applied what the directory
 * has after that; or after `patienceMs`, to the nodes that have not.
 */
export async function settle(
  directory: Party,
  nodes: readonly Party[],
  patienceMs: number,
): Promise<readonly Party[]> {
  const endMs = performance.now() + patienceMs;
  const written = new Map(
    await Promise.all(
      nodes.map(async (node) => [node, (await node.nodeProgress()).outboxThrough] as const),
    ),
  );
  const hasHanded = (node: Party, { outboxAcknowledged }: NodeProgress): boolean =>
    outboxAcknowledged >= (written.get(node) ?? 0);
  const late = await waitFor(nodes, hasHanded, endMs);
  const { logId, head } = await directory.logProgress();
  const hasApplied = (_: Party, progress: NodeProgress): boolean =>
    progress.logId === logId && progress.applied >= head;
  const behind = await waitFor(nodes, hasApplied, endMs);
  return nodes.filter((node) => late.includes(node) || behind.includes(node));
}

/** Resolves to the nodes of which it does not hold when the time is over. */
async function waitFor(
  nodes: readonly Party[],
  holds: (node: Party, progress: NodeProgress) => boolean,
  endMs: number,
): Promise<readonly Party[]> {
  let left = nodes;
  for (;;) {
    const held = await Promise.all(
      left.map(async (node) => holds(node, await node.nodeProgress())),
    );
    left = left.filter((_, index) => held[index] !== true);
    if (left.length === 0 || performance.now() >= endMs) return left;
    await pause(PAUSE_MS);
  }
}

/** Resolves after `ms` milliseconds. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
