/**
 * The text messages of the replication link: one JSON object each, told apart by `type`.
 * Entries travel in binary frames beside them. PROTOCOL.md gives the meaning of every field.
 */
import type { KeyHeat } from "./heat.ts";
import type { NodeStatus } from "./node-status.ts";
import type { RememberedMember } from "./record.ts";
import type { Agreement, Capabilities } from "./versions.ts";

/** A place in a log. In `cursors`: the sender has everything before it and may resume from it. */
export interface Cursor {
  logId: number;
  epoch: number;
  sequence: number;
}

/** How a directory's clock compares with the clocks of all members. */
export interface ClockWord {
  /** How far the directory's clock is ahead of the cluster's time, on which most clocks agree. */
  aheadMs: number;
  /** How many clocks agree on the cluster's time. Invariant: agreeing ≤ members. */
  agreeing: number;
  /** How many members are remembered. */
  members: number;
}

/** How busy a node is. */
export interface NodeLoad {
  entries: number;
  bytes: number;
  /** Requests per second, averaged over the last heartbeats. */
  requestsPerSecond: number;
  /** Whether the node is overloaded and refuses requests of clients. Absent means false. */
  refusing?: boolean | undefined;
}

/** One range of keys in a `compare` message. */
export interface RangeDigest {
  /** The last key of the range; null for the end of the key space. */
  to: string | null;
  count: number;
  fingerprint: string;
}

/** A node as the directory describes it to the other nodes. */
export interface Member {
  id: string;
  region: string;
  url: string;
  lat: number;
  lon: number;
  status: NodeStatus;
}

/** A node as its directory describes it to the other directories. */
export interface RegisteredMember extends Member {
  ip: string;
  port: number;
  lagMs: number;
  load: NodeLoad;
  outboxPending: number;
  skewMs: number;
  connectedAtMs: number;
}

/** The first message of a node on a link. */
export interface Hello extends Capabilities {
  type: "hello";
  cluster: string;
  nodeId: string;
  region: string;
  incarnation: number;
  /** Where clients reach the node; null for the address that this connection comes from. */
  ip: string | null;
  port: number;
  /** The whole URL that clients are to use instead of `http://ip:port`, or null. */
  url: string | null;
  lat: number;
  lon: number;
  status: NodeStatus;
  /** Places in logs, of this directory and of others. The node has everything before each of them. */
  cursors: Cursor[];
  /**
   * The node's home: the log that, through `sequence`, has everything that the node has except its unacknowledged outbox.
   * Null for a node that no directory has ever taken in; log id 0 while the node does not know.
   */
  home: Cursor | null;
  /** The last position that the node's outbox has given out. */
  outboxThrough: number;
  /** The last position that a directory has acknowledged; the node sends the positions after it. */
  outboxAcknowledged: number;
  /** The highest stamp time that the node knows a directory to have admitted. */
  admittedTime: number;
  /** The node's horizon, a stamp time: an entry made at or before it that the node does not have was deleted. 0 for none. */
  horizon: number;
  nowMs: number;
}

interface Heartbeat {
  type: "heartbeat";
  nowMs: number;
  status: NodeStatus;
  appliedThrough: number;
  /** Positions in the outbox that the directory has not acknowledged. */
  outboxPending: number;
  /** No entry that the node still has to send or will make later has a lower stamp time. 0 while the node does not know. */
  lowestTime: number;
  lagMs: number;
  load: NodeLoad;
}

interface Applied {
  type: "applied";
  nowMs: number;
  through: number;
}

interface Locate {
  type: "locate";
  nowMs: number;
  incarnation: number;
  position: number;
}

interface Reconcile {
  type: "reconcile";
  nowMs: number;
  /**
   * Present if the node resumes a reconciliation that lost its link: the node has applied the log from the `head` of that
   * reconciliation through this sequence, and need not compare again the parts of the key space that were done.
   */
  appliedThrough?: number | undefined;
}

interface Compare {
  type: "compare";
  nowMs: number;
  id: number;
  /** The ranges start after this key; null for the start of the key space. */
  from: string | null;
  ranges: RangeDigest[];
}

interface Offer {
  type: "offer";
  nowMs: number;
  id: number;
  from: string | null;
  to: string | null;
  /** Key, stamp time, stamp origin of every entry that the node has in the range, in key order. */
  entries: [key: string, time: number, origin: number][];
}

interface Reconciled {
  type: "reconciled";
  nowMs: number;
}

/** Sent to directories with the feature `heat`: what clients have read on the node lately. */
interface Heat {
  type: "heat";
  nowMs: number;
  /** The keys read most first. */
  keys: KeyHeat[];
}

/** Sent to directories with the feature `conditions`: an entry that is to be ordered if a condition holds of its key. */
export interface Propose {
  type: "propose";
  nowMs: number;
  /** Names the proposal in `decided`. Rises from one `propose` or `barrier` of a link to the next. */
  id: number;
  key: string;
  /** The stamp of the live version that the key has to have; null if it must have none. */
  ifStamp: [time: number, origin: number] | null;
  /** The stamp of the entry that is proposed. */
  stamp: [time: number, origin: number];
  /** Its value in padded base64; empty for a tombstone. */
  value: string;
  contentType: string;
  expiresAtMs: number;
  deleted: boolean;
}

/** Sent to directories with the feature `conditions`: asks for a sequence through which everything is ordered that anybody has been told of. */
interface Barrier {
  type: "barrier";
  nowMs: number;
  /** As in `propose`. */
  id: number;
}

interface Goodbye {
  type: "goodbye";
  nowMs: number;
}

/** The first message of a directory that follows the log of another one. */
export interface Follow extends Capabilities {
  type: "follow";
  cluster: string;
  /** The follower's own log and epoch. What the other directory has from that epoch is not sent back. */
  logId: number;
  epoch: number;
  /** The follower's last sequence; 0 for an empty log. */
  head: number;
  /** Places in other logs. The follower has everything before each of them. */
  cursors: Cursor[];
  nowMs: number;
}

/** Asks, on a link of its own, whether a directory is ready and how far its log goes. */
interface Probe extends Capabilities {
  type: "probe";
  cluster: string;
  nowMs: number;
}

/** A message from a node, or from another directory, to the directory. */
export type NodeMessage =
  | Hello
  | Follow
  | Probe
  | Heartbeat
  | Applied
  | Locate
  | Reconcile
  | Compare
  | Offer
  | Reconciled
  | Heat
  | Propose
  | Barrier
  | Goodbye;

/** The directory's answer to a `Hello` or a `Follow`. */
export interface Welcome extends Agreement {
  type: "welcome";
  nowMs: number;
  logId: number;
  epoch: number;
  /** The sequence of the last entry that has been given one. */
  head: number;
  committedThrough: number;
  /** Each epoch and the sequence just before its first, oldest first. */
  epochs: [epoch: number, before: number][];
  /** How the node goes on: with the frames after `resumeAfter` (`feed`), or with a reconciliation first. */
  resume: "feed" | "reconcile";
  /** The sequence after which the feed begins. */
  resumeAfter: number;
  /** This log has what the node's home has through this sequence. The node sends again what it has from after it. */
  homeThrough: number;
  /** What the log has of other logs through `committedThrough`. */
  followed: Cursor[];
  /** The last outbox position that the directory has committed, and the highest stamp time in it. */
  outboxThrough: number;
  outboxTime: number;
  /** The directory's horizon, a stamp time, and how far it stays behind the cluster's time. */
  horizon: number;
  horizonMs: number;
  heartbeatMs: number;
  leaseMs: number;
  maxClockDriftMs: number;
  /** True while the directory cannot write its log. The node then sends no frames until an `echo` has `holdBack` false. */
  holdBack: boolean;
  clock: ClockWord;
  /** Whether other directories may serve nodes from the same log. A node then chooses the nearest. */
  shared?: boolean | undefined;
}

/** The answer to a node's `heartbeat`. */
export interface Echo {
  type: "echo";
  nowMs: number;
  /** The `nowMs` of the heartbeat that this message answers. */
  echoMs: number;
  head: number;
  committedThrough: number;
  /** What the log has of other logs through `committedThrough`. */
  followed: Cursor[];
  /** The directory's horizon, a stamp time; durable. */
  horizon: number;
  /** All frames after this sequence were admitted under `horizon`. A node adopts the horizon once it has applied the log through here. */
  horizonAt: number;
  /** As in `welcome`. */
  holdBack: boolean;
  clock: ClockWord;
}

interface Acknowledge {
  type: "acknowledge";
  nowMs: number;
  outboxThrough: number;
  /** The sequence through which the log is committed, those positions included. */
  committedThrough: number;
}

interface Refuse {
  type: "refuse";
  nowMs: number;
  /** The outbox position of the frame that was refused. */
  position: number;
  /** Why: `CLOCK_AHEAD`. A node treats every other code in the same way. */
  code: string;
  /** The highest stamp time that the directory admits now. */
  timeMax: number;
}

interface AppliedBy {
  type: "applied-by";
  nowMs: number;
  /** The frames through this outbox position have been applied by `nodes`. */
  position: number;
  /** Ids of the members that have applied the frames, without the receiver. */
  nodes: string[];
  /** Ids of the members that are ready now, without the receiver. Either list may have ids that the other lacks. */
  ready: string[];
}

interface Located {
  type: "located";
  nowMs: number;
  incarnation: number;
  position: number;
  /** A node that has applied the log through this sequence has the position; null while the log does not have it. */
  sequence: number | null;
}

interface Members {
  type: "members";
  nowMs: number;
  members: Member[];
}

/** Sent to nodes with the feature `members-changed`, after the first `members` of the link. */
interface MembersChanged {
  type: "members-changed";
  nowMs: number;
  /** The members that are new or have changed. */
  changed: Member[];
  /** The ids of nodes that are no longer members. */
  gone: string[];
}

/** Sent to nodes with the feature `heat`: what clients have read on the other nodes lately, summed up. */
interface HeatElsewhere {
  type: "heat-elsewhere";
  nowMs: number;
  /** The keys read most first. */
  keys: KeyHeat[];
}

/** How a directory has decided about a `propose`: null if it is ordered, else why not. A `barrier` is answered with null or one of the last two. */
export type DecidedCode =
  | null
  /** The condition does not hold of the newest version. */
  | "PRECONDITION_FAILED"
  /** The condition holds, of a version that was written without regard to the order. */
  | "NOT_SCOPED"
  /** The entry's stamp is not above the newest version: it may be proposed again with one above `time`. */
  | "STAMP_TOO_LOW"
  /** The directory decides nothing now. */
  | "CONDITIONS_UNAVAILABLE"
  | "OVERLOADED";

/** Sent to nodes with the feature `conditions`: the answer to the `propose` or the `barrier` of that id. */
export interface Decided {
  type: "decided";
  nowMs: number;
  id: number;
  code: DecidedCode;
  /** Whoever has applied the log through this sequence has what the answer rests on, all of which is durable. */
  sequence: number;
  /** With `STAMP_TOO_LOW`: the stamp time to exceed. Else 0. */
  time: number;
  /** The instant of the cluster's time by which it was judged what has expired. */
  atMs: number;
  /** For people, with the last two codes: what the directory lacks. Else empty. */
  why: string;
}

interface Registry {
  type: "registry";
  nowMs: number;
  /** The last sequence given out. */
  head: number;
  /** No entry that a node of this directory gets into the log after `head` has a lower stamp time; 0 while that is not known, 2^53 − 1 without nodes. */
  lowestTime: number;
  /** The nodes with a link to this directory. */
  members: RegisteredMember[];
  /** The remembered members that have changed since an earlier `registry` on this link named them. Absent means none. */
  remembered?: RememberedMember[] | undefined;
  /** Whether all of `members` take frames before they are ordered. Absent means that some do not. */
  early?: boolean | undefined;
}

interface Standing extends Agreement {
  type: "standing";
  nowMs: number;
  /** Whether the directory takes nodes in and can write its log. */
  ready: boolean;
  logId: number;
  epoch: number;
  head: number;
  followed: Cursor[];
}

interface ReconcileBegin {
  type: "reconcile-begin";
  nowMs: number;
  head: number;
  /** The directory's horizon. Both sides leave out what is purgeable under the higher one of their two horizons. */
  horizon: number;
  /** Whether the reconciliation resumes where its link was lost. If so, `head` is the node's `appliedThrough`. */
  resumes?: boolean | undefined;
}

interface Compared {
  type: "compared";
  nowMs: number;
  id: number;
  /** The indexes of the ranges that differ. */
  differing: number[];
}

interface Wanted {
  type: "wanted";
  nowMs: number;
  id: number;
  /** How many entries the directory has donated in answer to the offer. */
  donated: number;
  keys: string[];
}

/** A message from the directory to a node, or to another directory. */
export type DirectoryMessage =
  | Welcome
  | Echo
  | Acknowledge
  | Refuse
  | AppliedBy
  | Located
  | Members
  | MembersChanged
  | HeatElsewhere
  | Decided
  | Registry
  | Standing
  | ReconcileBegin
  | Compared
  | Wanted;
