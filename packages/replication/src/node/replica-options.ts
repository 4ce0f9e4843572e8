import type { Dial, ReplicaStore } from "@meridian/ports";
import {
  capabilities,
  HEAT,
  OWN_FRAMES,
  unixMsOf,
  type Entry,
  type ErrorCode,
  type Hello,
  type KeyHeat,
  type NodeLoad,
  type NodeStatus,
  type TraceContext,
} from "@meridian/protocol";
import type { Clock, Logger, Metrics, Random } from "@meridian/runtime";

import type { LogPosition } from "../intake/log-position.ts";
import type { ReplicaLimits } from "../limits.ts";
import type { ClusterClock } from "../time/cluster-clock.ts";
import type { Submitter } from "./submitter.ts";

/** How a node introduces itself. */
export interface NodeIdentity {
  readonly cluster: string;
  readonly id: string;
  readonly region: string;
  /** Where clients reach the node; null for the address that the directory sees. */
  readonly ip: string | null;
  readonly port: number;
  /** The whole URL that clients are to use instead, or null. */
  readonly url: string | null;
  readonly lat: number;
  readonly lon: number;
}

/** A frame with traced writes of others that a node has made durable. */
export interface TracedFrame {
  /** What the writes are parts of. */
  readonly traces: readonly TraceContext[];
  /** The entries of the frame, those of untraced writes included. */
  readonly entries: number;
  /** When it came, in milliseconds since the Unix epoch by this machine's clock. */
  readonly cameAtMs: number;
  /** How long it took until it was durable. */
  readonly tookMs: number;
}

/** How a replica is made. */
export interface ReplicaOptions {
  readonly node: NodeIdentity;
  readonly store: ReplicaStore;
  readonly dial: Dial;
  /** How many directories can be dialled, the best of them first. Default: 1. */
  readonly directories?: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Where the replica registers its metrics. */
  readonly metrics?: Metrics;
  readonly limits?: Partial<ReplicaLimits>;
  /** Runs `callback` at the end of this turn of the event loop. */
  defer(callback: () => void): void;
  /**
   * Called with entries that may be news: own ones once they are durable, others' on receipt. The newest stamp wins. `isNew` says that all of them
   * were written here just now, and none is sent again.
   */
  onChange?(entries: readonly Entry[], isNew: boolean): void;
  /** Called when entries have got lower stamps than before: whatever is cached for their keys is invalid. */
  onRestamped?(entries: readonly Entry[]): void;
  onStatus?(status: NodeStatus): void;
  onTraced?(frame: TracedFrame): void;
  load?(): NodeLoad;
  /** Clients read these keys on other nodes, the hottest first. With it, the node offers its directory to tell which keys are used here. */
  onHeat?(keys: readonly KeyHeat[]): void;
}

/**
 * Whether a node is part of a cluster. `never`: no directory has ever taken this database in. `refused`: the directory that was last
 * asked has refused the node, and will go on doing so until an operator has done something. Else `admitted`, cut off or not.
 */
export type Admission = "admitted" | "never" | "refused";

/** A replica in numbers. */
export interface ReplicaInfo {
  readonly incarnation: number;
  readonly logId: number;
  readonly epoch: number;
  readonly applied: number;
  readonly committedThrough: number;
  /** Sequences that the directory has and this node has not, as far as it knows. */
  readonly behind: number;
  readonly lagMs: number;
  readonly outboxThrough: number;
  readonly outboxPending: number;
  /** An entry that was made at or before this instant, and is not on the node, was deleted. In milliseconds since the Unix epoch; null for none. */
  readonly horizonAtMs: number | null;
  /** Entries in the quarantine. */
  readonly quarantined: number;
  readonly connected: boolean;
  /** The directory that the node is at or dials: its place in the order of preference, from 0. */
  readonly directory: number;
  readonly reconciling: boolean;
  /** Whether the directory cannot write its log now, so that the outbox waits. */
  readonly heldBack: boolean;
  readonly admission: Admission;
  /** The code with which the directory refuses the node, if its operator has to do something; else null. */
  readonly refusal: ErrorCode | null;
  /** How far this machine's clock is ahead of the cluster's time; 0 while nothing is known of that. */
  readonly skewMs: number;
  /** Whether the cluster's time is used instead of this machine's. */
  readonly clockCorrected: boolean;
  /** How many members' clocks agree on the cluster's time, and of how many members, as the directory said last; 0 before. */
  readonly clocksAgreeing: number;
  readonly clocksMembers: number;
  /** Whether those are a majority. If not, the node empties no expired values. */
  readonly clockConfirmed: boolean;
}

/** What a node says of itself at the moment it connects, beside what its store says. */
export type HelloFacts = Pick<
  Hello,
  "status" | "cursors" | "home" | "outboxAcknowledged" | "admittedTime" | "nowMs"
>;

/** The introduction of a node. */
export function helloOf(
  node: NodeIdentity,
  store: Pick<ReplicaStore, "incarnation" | "outboxThrough" | "horizon" | "takenBack">,
  facts: HelloFacts,
  sharesHeat: boolean,
): Hello {
  const { cluster, id: nodeId, region, ip, port, url, lat, lon } = node;
  const { incarnation, outboxThrough, horizon } = store;
  const identity = { cluster, nodeId, region, incarnation, ip, port, url, lat, lon };
  // A log that has frames of this node with stamps that were taken back has something else than the node.
  const off = [...(sharesHeat ? [] : [HEAT]), ...(store.takenBack.isEmpty ? [OWN_FRAMES] : [])];
  return {
    type: "hello",
    ...capabilities(...off),
    ...identity,
    outboxThrough,
    horizon,
    ...facts,
  };
}

/** The numbers of a replica, read from its parts. */
export function infoOf(
  store: ReplicaStore,
  position: LogPosition,
  submitter: Submitter,
  time: ClusterClock,
  facts: Pick<ReplicaInfo, "lagMs" | "connected" | "directory" | "reconciling" | "refusal">,
): ReplicaInfo {
  return {
    ...facts,
    admission: admissionOf(store, facts.refusal),
    incarnation: store.incarnation,
    ...position.info,
    outboxThrough: store.outboxThrough,
    outboxPending: submitter.pending,
    heldBack: submitter.isHeld,
    horizonAtMs: store.horizon === 0 ? null : unixMsOf(store.horizon),
    quarantined: store.quarantined,
    skewMs: time.aheadMs,
    clockCorrected: time.corrected,
    clocksAgreeing: time.agreement.agreeing,
    clocksMembers: time.agreement.members,
    clockConfirmed: time.confirmedMs() !== undefined,
  };
}

/** Refusals after which nothing that a node writes would ever travel. */
const OUTCAST_CODES: ReadonlySet<ErrorCode> = new Set(["WRONG_CLUSTER", "NODE_ID_TAKEN"]);

/** Whether the node of a store is part of a cluster. `refusal` is the code with which a directory has refused it. */
export function admissionOf(
  store: Pick<ReplicaStore, "cursor">,
  refusal: ErrorCode | null,
): Admission {
  if (refusal !== null && OUTCAST_CODES.has(refusal)) return "refused";
  return store.cursor === undefined ? "never" : "admitted";
}
