/**
 * The text messages of the replication link: one JSON object each, told apart by `type`.
 * Entries travel in binary frames beside them. PROTOCOL.md gives the meaning of every field.
 */
import type { NodeStatus } from "./node-status.ts";
import type { RememberedMember } from "./record.ts";
import type { Agreement, Capabilities } from "./versions.ts";

/** The last point of a log that a node has applied and may resume from. */
export interface Cursor {
  logId: number;
  epoch: number;
  sequence: number;
}

/** What the clocks of all members say of a directory's. */
export interface ClockWord {
  /** How far the directory's clock is ahead of the time that most of them agree on. */
  aheadMs: number;
  /** How many agree on it, … */
  agreeing: number;
  /** … of how many members that are remembered. */
  members: number;
}

/** How busy a node is. */
export interface NodeLoad {
  entries: number;
  bytes: number;
  /** Requests a second over the last heartbeats. */
  requestsPerSecond: number;
  /** Whether it has too much to do to take what clients ask for. Without it: no. */
  refusing?: boolean | undefined;
}

/** One range of keys in a `compare` message. */
export interface RangeDigest {
  /** The last key of the range; null for the end of the key space. */
  to: string | null;
  count: number;
  fingerprint: string;
}

/** A node as the other nodes know it. */
export interface Member {
  id: string;
  region: string;
  url: string;
  lat: number;
  lon: number;
  status: NodeStatus;
}

/** A node as the other directories know it. */
export interface RegisteredMember extends Member {
  ip: string;
  port: number;
  lagMs: number;
  load: NodeLoad;
  outboxPending: number;
  skewMs: number;
  connectedAtMs: number;
}

/** How a node introduces itself. */
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
  /** Places in logs, of this directory and of others, before which the node has everything. */
  cursors: Cursor[];
  /**
   * The log that has everything that the node has, its unacknowledged outbox left out, through `sequence`.
   * Null for a node that no directory has ever taken in; log id 0 for one that cannot tell.
   */
  home: Cursor | null;
  /** The last position that the node's outbox has given out. */
  outboxThrough: number;
  /** The last position that a directory has acknowledged; the node sends what comes after it. */
  outboxAcknowledged: number;
  /** The highest stamp time that the node knows a directory to have admitted. */
  admittedTime: number;
  /** The node's horizon, a stamp time: what was made at or before it, and is not there, was deleted. 0 for none. */
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
  /** No entry that the node still has to send, or will ever make, has a lower stamp time. */
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
   * Set by a node that goes on with a reconciliation that was cut off: it has the log from where that began through here, and the
   * parts of the key space that were done are as they were.
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

interface Goodbye {
  type: "goodbye";
  nowMs: number;
}

/** How a directory introduces itself to another one, whose log it wants to follow. */
export interface Follow extends Capabilities {
  type: "follow";
  cluster: string;
  /** The follower's own log and epoch: what it has from there is not sent back. */
  logId: number;
  epoch: number;
  /** The follower's last sequence; 0 for an empty log. */
  head: number;
  /** Places in other logs before which the follower has everything. */
  cursors: Cursor[];
  nowMs: number;
}

/** A node asks, on a link of its own, how a directory stands. */
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
  | Goodbye;

/** How the directory answers a `Hello`. */
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
  /** Whether the cursor lies on this log: `feed` what came after it, or `reconcile` first. */
  resume: "feed" | "reconcile";
  /** The sequence after which the feed begins. */
  resumeAfter: number;
  /** The directory's log has what the node's home has through here; of what came after it, the node is to send again what it has. */
  homeThrough: number;
  /** What the log has of other logs through `committedThrough`. */
  followed: Cursor[];
  /** The last outbox position that the directory has committed, and the highest stamp time in it. */
  outboxThrough: number;
  outboxTime: number;
  /** The directory's horizon, a stamp time, and how far it stays behind the clock. */
  horizon: number;
  horizonMs: number;
  heartbeatMs: number;
  leaseMs: number;
  maxClockDriftMs: number;
  /** The directory cannot write its log now: the node is to send no frames until a `heartbeat` says otherwise. */
  holdBack: boolean;
  clock: ClockWord;
}

/** The answer to a node's `heartbeat`. */
export interface Echo {
  type: "echo";
  nowMs: number;
  /** The `nowMs` of the heartbeat that this one answers. */
  echoMs: number;
  head: number;
  committedThrough: number;
  /** What the log has of other logs through `committedThrough`. */
  followed: Cursor[];
  /** The directory's horizon, a stamp time; durable. */
  horizon: number;
  /** What is ordered after this sequence was admitted under that horizon. A node adopts it from there on. */
  horizonAt: number;
  /** Like those of `welcome`. */
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
  /** Why: `CLOCK_AHEAD`. A node takes any other for the same. */
  code: string;
  /** The highest stamp time that the directory admits now. */
  timeMax: number;
}

interface AppliedBy {
  type: "applied-by";
  nowMs: number;
  /** Outbox positions through this one … */
  position: number;
  /** … have been applied by these nodes, the sender left out … */
  nodes: string[];
  /** … of these, which are ready now. */
  ready: string[];
}

interface Located {
  type: "located";
  nowMs: number;
  incarnation: number;
  position: number;
  /** A sequence at or after which the log has that position; null while it does not. */
  sequence: number | null;
}

interface Members {
  type: "members";
  nowMs: number;
  members: Member[];
}

/** For nodes that have the feature `members-changed`, after the first whole list. */
interface MembersChanged {
  type: "members-changed";
  nowMs: number;
  /** The members that are new or not as they were. */
  changed: Member[];
  /** The ids of those that are no members any more. */
  gone: string[];
}

interface Registry {
  type: "registry";
  nowMs: number;
  /** The last sequence given out. */
  head: number;
  /** Behind `head`, no entry of a node with a link to this directory has a lower stamp time; 0 while that is not known, 2^53 − 1 without nodes. */
  lowestTime: number;
  /** The nodes with a link to this directory. */
  members: RegisteredMember[];
  /** What has changed, since the last one that said it, in what this directory remembers of nodes; missing means nothing. */
  remembered?: RememberedMember[] | undefined;
}

interface Standing extends Agreement {
  type: "standing";
  nowMs: number;
  /** Whether the directory takes nodes in. */
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
  /** The directory's horizon. Both sides leave out what is purgeable under the higher one of theirs. */
  horizon: number;
  /** Whether it goes on where it was cut off. Then `head` is the `appliedThrough` of the node. */
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
  /** How many entries have been donated in answer to that offer. */
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
  | Registry
  | Standing
  | ReconcileBegin
  | Compared
  | Wanted;
