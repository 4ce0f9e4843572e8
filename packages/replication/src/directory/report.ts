import type { NodeLoad, NodeMessage, NodeStatus } from "@meridian/protocol";

/** What a peer last said of itself. */
export interface Report {
  readonly status: NodeStatus;
  readonly outboxPending: number;
  /** A lower bound of the stamp times of all entries that it still sends. */
  readonly lowestTime: number;
  readonly lagMs: number;
  readonly load: NodeLoad;
}

/** The report of a peer that has not said anything yet. */
export const NOTHING_REPORTED: Report = {
  status: "joining",
  outboxPending: 0,
  lowestTime: 0,
  lagMs: 0,
  load: { entries: 0, bytes: 0, requestsPerSecond: 0 },
};

/** What a heartbeat says. */
export function reportOf(heartbeat: Extract<NodeMessage, { type: "heartbeat" }>): Report {
  const { status, outboxPending, lowestTime, lagMs, load } = heartbeat;
  return { status, outboxPending, lowestTime, lagMs, load };
}
