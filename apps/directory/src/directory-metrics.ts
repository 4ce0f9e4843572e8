import { NODE_STATUSES } from "@meridian/protocol";
import type { Directory } from "@meridian/replication";
import type { Metrics } from "@meridian/runtime";
import { LINK_BYTES_MAX } from "@meridian/transport";

import type { NodeRegistry } from "./node-registry.ts";

/** Registers how a directory fares. */
export function registerDirectory(
  metrics: Metrics,
  directory: Directory,
  registry: NodeRegistry,
): void {
  for (const status of NODE_STATUSES) {
    const read = (): number => registry.all().filter((node) => node.status === status).length;
    metrics.gauge("meridian_nodes", "Nodes, by their status.", read, { status });
  }
  const gone = (): number => directory.absent.length;
  metrics.gauge("meridian_nodes", "Nodes, by their status.", gone, { status: "gone" });
  metrics.counted(
    "meridian_ordered_entries_total",
    "The newest sequence of the log.",
    () => directory.info().head,
  );
  metrics.counted(
    "meridian_committed_entries_total",
    "The newest durable sequence.",
    () => directory.info().committedThrough,
  );
  metrics.level(() => [
    { name: "linkBytes", now: directory.linkBytes, max: LINK_BYTES_MAX },
    ...directory.gauges(),
  ]);
}
