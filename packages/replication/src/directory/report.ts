import type { NodeLoad, NodeMessage, NodeStatus } from "@meridian/protocol";

/** What a peer last said of itself. */
export interface Report {
  readonly status: NodeStatus;
  readonly outboxPending: number;
  /** A lower bound of the stamp times of all entries that it still sends. */
  readonly lowestTime: number;
  readonly lagMs: number;
  /** How far its clock is ahead of this machine's; includes the way here. */
  readonly skewMs: number;
  readonly load: NodeLoad;
}

/** The report of a peer that has not said anything yet. */
export const NOTHING_REPORTED: Report = {
  status: "joining",
  outboxPending: 0,
  lowestTime: 0,
  lagMs: 0,
  skewMs: 0,
  load: { entries: 0, bytes: 0, requestsPerSecond: 0 },
};

/** What a heartbeat says that came when this machine's clock showed `nowMs`. */
export function reportOf(
  heartbeat: Extract<NodeMessage, { type: "heartbeat" }>,
  nowMs: number,
): Report {
  const { status, outboxPending, lowestTime, lagMs, load } = heartbeat;
  const skewMs = Math.round(heartbeat.nowMs - nowMs);
  return { status, outboxPending, lowestTime, lagMs, skewMs, load };
}
