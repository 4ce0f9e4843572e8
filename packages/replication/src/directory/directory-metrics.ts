import type { DirectoryLog } from "@meridian/ports";
import { NODE_STATUSES, PROPOSALS_MAX } from "@meridian/protocol";
import type { Metrics } from "@meridian/runtime";

import type { PeerInfo } from "../follow/follower.ts";
import type { Peers } from "../follow/peers.ts";
import type { DirectoryLimits } from "../limits.ts";
import type { Sequencer } from "../order/sequencer.ts";
import { OFFERED_MAX } from "../reconcile/reconcile-responder.ts";
import type { DirectorySession } from "./directory-session.ts";
import type { HeatSum } from "./heat-sum.ts";
import type { MemberInfo, Membership } from "./membership.ts";
import type { ReconcileTurns } from "./reconcile-turns.ts";

/** The parts of a directory whose queues have bounds. */
export interface BoundedParts {
  readonly limits: DirectoryLimits;
  readonly sequencer: Sequencer;
  readonly membership: Membership;
  readonly sessions: ReadonlySet<DirectorySession>;
  readonly turns: ReconcileTurns;
  readonly peers: Peers;
  readonly heat: HeatSum;
  readonly log: Pick<DirectoryLog, "doubt">;
}

/** Registers the metrics of a directory, and how full its queues are; of queues that each node has, the fullest. */
export function registerDirectory(
  metrics: Metrics,
  { limits, sequencer, membership, sessions, turns, peers, heat, log }: BoundedParts,
): void {
  registerNodes(metrics, membership);
  registerPeers(metrics, peers);
  registerDoubt(metrics, log);
  const begun = (): number => turns.begun.length;
  metrics.gauge("meridian_reconciling_nodes", "Nodes that compare all they have.", begun);
  const waiting = "Nodes that wait for their turn to compare all they have.";
  metrics.gauge("meridian_reconcile_waiting_nodes", waiting, () => turns.waiting);
  metrics.counted(
    "meridian_reconciliations_total",
    "How often a node has begun to compare all it has with the log.",
    () => turns.begunTotal,
  );
  for (const status of NODE_STATUSES) {
    const read = (): number => membership.present.filter((node) => node.status === status).length;
    metrics.gauge("meridian_nodes", "Nodes, by their status.", read, { status });
  }
  const gone = (): number => membership.absent.length;
  metrics.gauge("meridian_nodes", "Nodes, by their status.", gone, { status: "gone" });
  metrics.counted(
    "meridian_ordered_entries_total",
    "The newest sequence of the log.",
    () => sequencer.head,
  );
  metrics.counted(
    "meridian_committed_entries_total",
    "The newest durable sequence.",
    () => sequencer.committedThrough,
  );
  const fullest = (read: (session: DirectorySession) => number): number =>
    [...sessions].reduce((most, session) => Math.max(most, read(session)), 0);
  const { commitBytesMax, recentBytesMax, membersMax, presentMax, watchedMax } = limits;
  metrics.level(() => [
    { name: "commitBytes", now: sequencer.pendingBytes, max: commitBytesMax },
    { name: "recentBytes", now: sequencer.recentBytes, max: recentBytesMax + commitBytesMax },
    { name: "offeredEntries", now: fullest((each) => each.offeredEntries), max: OFFERED_MAX },
    { name: "watchedFrames", now: fullest((each) => each.watchedFrames), max: watchedMax },
    { name: "proposals", now: fullest((each) => each.undecided), max: PROPOSALS_MAX },
    { name: "heatBytes", ...heat.level },
    { name: "members", now: membership.size, max: presentMax },
    { name: "rememberedMembers", now: membership.known, max: membersMax },
  ]);
}

/** Registers whether a log is one to decide conditions by. */
export function registerDoubt(metrics: Metrics, log: Pick<DirectoryLog, "doubt">): void {
  metrics.gauge(
    "meridian_log_doubted",
    "Whether the log may have lost something, so that no conditions of scope=cluster are decided.",
    () => (log.doubt === null ? 0 : 1),
  );
}

/** What is known of each node that is there. */
function registerNodes(metrics: Metrics, membership: Membership): void {
  const each = (name: string, help: string, of: (node: MemberInfo) => number): void =>
    metrics.gauges(name, help, function* () {
      for (const node of membership.present) yield [{ node: node.id }, of(node)] as const;
    });
  each("meridian_node_lag_seconds", "How long each node has been behind.", (node) =>
    seconds(node.lagMs),
  );
  each(
    "meridian_node_unsent_entries",
    "What has not been sent to each node.",
    (node) => node.unsent,
  );
  each(
    "meridian_node_outbox_pending_frames",
    "Writes of each node that no directory has committed.",
    (node) => node.outboxPending,
  );
  each(
    "meridian_node_clock_ahead_seconds",
    "By how much the clock of each node is ahead of this one's; includes the way here.",
    (node) => seconds(node.skewMs),
  );
}

/** What is known of each directory that is followed. */
function registerPeers(metrics: Metrics, peers: Peers): void {
  const each = (name: string, help: string, of: (peer: PeerInfo) => number): void =>
    metrics.gauges(name, help, function* () {
      for (const peer of peers.info) yield [{ peer: peer.name }, of(peer)] as const;
    });
  each("meridian_peer_connected", "Whether each directory that is followed is reached.", (peer) =>
    peer.connected ? 1 : 0,
  );
  each("meridian_peer_lag_seconds", "How long this directory has been behind each other.", (peer) =>
    seconds(peer.lagMs),
  );
  each(
    "meridian_peer_behind_entries",
    "What each other has and this one not.",
    (peer) => peer.behind,
  );
}

function seconds(ms: number): number {
  return ms / 1_000;
}
