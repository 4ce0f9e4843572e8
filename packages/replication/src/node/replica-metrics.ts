import type { ReplicaStore } from "@meridian/ports";
import { NODE_STATUSES, PROPOSALS_MAX, unixMsOf } from "@meridian/protocol";
import type { Metrics } from "@meridian/runtime";

import type { ReplicaLimits } from "../limits.ts";
import type { ClusterClock } from "../time/cluster-clock.ts";
import type { Acknowledgements } from "./acknowledgements.ts";
import type { EarlyEntries } from "./early-entries.ts";
import type { Positions } from "./positions.ts";
import type { Replica } from "./replica.ts";
import type { ReplicaInfo } from "./replica-options.ts";
import type { Submitter } from "./submitter.ts";

type OutboxStore = Pick<ReplicaStore, "outboxAfter">;

/** The parts of a replica whose queues have bounds. */
export interface BoundedParts {
  readonly limits: ReplicaLimits;
  readonly submitter: Submitter;
  readonly acknowledgements: Acknowledgements;
  readonly positions: Positions;
  readonly early: Pick<EarlyEntries, "bytes">;
  readonly store: OutboxStore;
  readonly time: ClusterClock;
}

/** Registers the metrics of a replica, and how full its queues are. */
export function registerReplica(
  metrics: Metrics,
  replica: Pick<Replica, "status" | "info" | "proposals" | "reconciliations">,
  { limits, submitter, acknowledgements, positions, early, store, time }: BoundedParts,
): void {
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
  metrics.gauge(
    "meridian_outbox_age_seconds",
    "How long ago the oldest own write was made that no directory has committed; 0 for none.",
    outboxAge(submitter, store, time),
  );
  told("meridian_reconciling", "Whether the node compares all it has with its directory.", (info) =>
    info.reconciling ? 1 : 0,
  );
  metrics.counted(
    "meridian_reconciliations_total",
    "How often the node has compared all it has with a directory, to the end.",
    () => replica.reconciliations,
  );
  told("meridian_clock_confirmed", "Whether a majority agrees what time it is.", (info) =>
    info.clockConfirmed ? 1 : 0,
  );
  told("meridian_quarantined_entries", "Entries in the quarantine.", (info) => info.quarantined);
  told(
    "meridian_clock_ahead_seconds",
    "By how much the clock here is ahead.",
    (info) => info.skewMs / 1_000,
  );
  const { windowBytes, waitersMax, earlyBytesMax } = limits;
  metrics.level(() => [
    { name: "outboxInFlightBytes", now: submitter.inFlightBytes, max: windowBytes },
    { name: "earlyBytes", now: early.bytes, max: earlyBytesMax },
    { name: "acknowledgementWaiters", now: acknowledgements.waiting, max: waitersMax },
    { name: "positionWaiters", now: positions.waiting, max: waitersMax },
    { name: "orderWaiters", now: replica.proposals.reading, max: waitersMax },
    { name: "proposals", now: replica.proposals.waiting, max: PROPOSALS_MAX },
  ]);
}

/**
 * Returns a function that tells the age of the oldest frame in the outbox; undefined if it cannot be read. A frame may be as large as a batch, so it
 * is decoded only if it was there at the start, and once.
 */
function outboxAge(
  submitter: Pick<Submitter, "pending" | "acknowledgedThrough" | "lowestTime">,
  store: OutboxStore,
  time: ClusterClock,
): () => number | undefined {
  let oldest = { after: -1, stampTime: 0 };
  const look = (after: number): number => {
    if (oldest.after !== after) {
      oldest = { after, stampTime: store.outboxAfter(after, 1)[0]?.highestTime ?? 0 };
    }
    return oldest.stampTime;
  };
  return () => {
    const { pending, acknowledgedThrough, lowestTime } = submitter;
    if (pending === 0 || lowestTime === Infinity) return 0;
    try {
      const stampTime = lowestTime === 0 ? look(acknowledgedThrough) : lowestTime;
      return stampTime === 0 ? 0 : Math.max(0, time.nowMs() - unixMsOf(stampTime)) / 1_000;
    } catch {
      return undefined;
    }
  };
}
