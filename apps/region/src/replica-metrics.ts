import { NODE_STATUSES } from "@meridian/protocol";
import type { Replica, ReplicaInfo } from "@meridian/replication";
import type { Metrics } from "@meridian/runtime";
import { LINK_BYTES_MAX } from "@meridian/transport";

/** Registers how a replica fares. */
export function registerReplica(metrics: Metrics, replica: Replica): void {
  const told = (name: string, help: string, of: (info: ReplicaInfo) => number): void =>
    metrics.gauge(name, help, () => of(replica.info()));
  for (const status of NODE_STATUSES) {
    const read = (): number => (replica.status === status ? 1 : 0);
    metrics.gauge("meridian_node_status", "1 for the status that the node has.", read, { status });
  }
  told("meridian_connected", "Whether a directory has taken the node in.", (info) =>
    info.connected ? 1 : 0,
  );
  told(
    "meridian_lag_seconds",
    "How long the node has been behind its directory.",
    (info) => info.lagMs / 1_000,
  );
  told(
    "meridian_behind_entries",
    "Entries that the directory has and this node not.",
    (info) => info.behind,
  );
  told(
    "meridian_outbox_pending_frames",
    "Own writes that no directory has committed.",
    (info) => info.outboxPending,
  );
  told("meridian_quarantined_entries", "Entries in the quarantine.", (info) => info.quarantined);
  told(
    "meridian_clock_ahead_seconds",
    "By how much the clock here is ahead.",
    (info) => info.skewMs / 1_000,
  );
  metrics.level(() => [
    ...replica.gauges(),
    { name: "linkBytes", now: replica.link.bufferedBytes, max: LINK_BYTES_MAX },
  ]);
}
