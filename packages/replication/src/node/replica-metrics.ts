import { NODE_STATUSES } from "@meridian/protocol";
import type { Metrics } from "@meridian/runtime";

import type { ReplicaLimits } from "../limits.ts";
import type { Acknowledgements } from "./acknowledgements.ts";
import type { Positions } from "./positions.ts";
import type { Replica } from "./replica.ts";
import type { ReplicaInfo } from "./replica-options.ts";
import type { Submitter } from "./submitter.ts";

/** What holds what a replica bounds. */
export interface BoundedParts {
  readonly limits: ReplicaLimits;
  readonly submitter: Submitter;
  readonly acknowledgements: Acknowledgements;
  readonly positions: Positions;
}

/** Registers how a replica fares, and how full what it holds is. */
export function registerReplica(
  metrics: Metrics,
  replica: Pick<Replica, "info" | "status">,
  { limits, submitter, acknowledgements, positions }: BoundedParts,
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
  told("meridian_quarantined_entries", "Entries in the quarantine.", (info) => info.quarantined);
  told(
    "meridian_clock_ahead_seconds",
    "By how much the clock here is ahead.",
    (info) => info.skewMs / 1_000,
  );
  const { windowBytes, waitersMax } = limits;
  metrics.level(() => [
    { name: "outboxInFlightBytes", now: submitter.inFlightBytes, max: windowBytes },
    { name: "acknowledgementWaiters", now: acknowledgements.waiting, max: waitersMax },
    { name: "positionWaiters", now: positions.waiting, max: waitersMax },
  ]);
}
