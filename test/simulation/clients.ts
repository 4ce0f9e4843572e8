/** Writes as clients make them. */
import type { EntryMark } from "@meridian/ports";
import type { Entry } from "@meridian/protocol";
import type { WriteRequest } from "@meridian/replication";

import type { SimulatedCluster, SimulatedNode } from "./cluster.ts";
import { fades } from "./fading.ts";
import type { Clocks } from "./ledger.ts";

/** One write of a client. */
export interface ClientWrite {
  readonly key: string;
  /** Undefined to delete. No two writes of a simulation set the same value. */
  readonly value: string | undefined;
  readonly ttlMs: number;
  /** Whether the write has a condition that does not hold. */
  readonly isRefused?: boolean;
}

const TEXT = new TextEncoder();

/** Writes a batch at a node, all or nothing. Calls back with the entries once it is acknowledged. */
export function write(
  cluster: SimulatedCluster,
  node: SimulatedNode,
  writes: readonly ClientWrite[],
  onAcknowledged?: (entries: readonly Entry[]) => void,
): void {
  const { auditor, ledger, names, world } = cluster;
  const replica = node.process?.replica;
  if (replica === undefined) return;
  const over = new Map<string, string | undefined>();
  const clocks = (): Clocks => [replica.nowMs(), world.nowMs];
  let made = clocks();
  const requests: readonly WriteRequest[] = writes.map((each, index) => {
    const { key, isRefused = false } = each;
    const check = (current: EntryMark | undefined): void => {
      if (!over.has(key)) over.set(key, current && names.nameOf(current.stamp));
      const request = requests[index];
      // The node stamps the write in this turn. Its clock may have been set since it was asked.
      made = clocks();
      if (isRefused) ledger.uncheck(requests);
      else if (request !== undefined) ledger.checked(request);
      if (isRefused) throw new Error("Expected what does not hold");
    };
    return requestOf(each, check);
  });
  const level = auditor.levelOfNext();
  replica.write(requests, { reportApplied: level !== "local" }).then(
    (receipt) => {
      for (const [index, entry] of receipt.entries.entries()) {
        const request = requests[index];
        const wrong = request && ledger.wrongAnswer(request, entry, [made, clocks()]);
        if (wrong !== undefined) auditor.report(`${node.id}: ${entry.key} ${wrong}`);
        // Of several writes of one key in a batch, the last counts.
        if (receipt.entries.some(({ key }, later) => later > index && key === entry.key)) continue;
        cluster.acknowledged.push({
          name: names.nameOf(entry.stamp),
          key: entry.key,
          node,
          atMs: world.nowMs,
          outboxPosition: receipt.outboxPosition,
          over: over.get(entry.key),
          fades: fades(entry),
        });
      }
      if (writes.some(({ isRefused }) => isRefused))
        auditor.report(`${node.id}: took what was refused`);
      auditor.auditAcknowledgement(node, receipt, level);
      onAcknowledged?.(receipt.entries);
    },
    () => ledger.refused(requests),
  );
}

function requestOf(
  { key, value, ttlMs }: ClientWrite,
  check: (current: EntryMark | undefined) => void,
): WriteRequest {
  return {
    key,
    value: TEXT.encode(value ?? ""),
    contentType: value === undefined ? "" : `text/plain; of=${value.trim()}`,
    ttlMs,
    deleted: value === undefined,
    check,
  };
}
