/** The records that `replication` hands to stores: runs of entries with their place in an outbox or a log. */
import type { Entry } from "./entry.ts";
import type { Cursor } from "./message.ts";
import type { Stamp } from "./stamp.ts";

/** A run of the node's own writes that the node sends as one frame. */
export interface OutboxFrame {
  /** Counted from 1, without gaps. */
  readonly position: number;
  readonly count: number;
  readonly highestTime: number;
  /** The entries as `encodeBlock` lays them out. */
  readonly block: Uint8Array;
}

/** What a node's store makes durable. The store commits records in the order in which they are appended. */
export type ReplicaRecord =
  /** The node's own writes, committed in one transaction with their place in the outbox. Readable once durable. */
  | {
      readonly kind: "local";
      readonly frame: OutboxFrame;
      readonly entries: readonly Entry[];
      /** Ids of quarantined entries that leave the quarantine with this write, in the same transaction. */
      readonly released?: readonly number[];
    }
  /** Entries of other nodes, merged by stamp. Readable before they are durable: a directory has them already. */
  | {
      readonly kind: "remote";
      readonly entries: readonly Entry[];
      readonly block: Uint8Array;
      readonly highestTime: number;
      /** Whether somebody waits to hear that it is durable. If not, it may become so some milliseconds later. Default: somebody does. */
      readonly isAwaited?: boolean;
      /** The node's cursor once this record is durable, if the node may resume from there. */
      readonly cursor?: Cursor;
      /** Where in the log the frame ends that brought these entries; absent for donations, which are outside the order of the log. */
      readonly place?: Cursor;
      /**
       * Entries that the store holds and that burials among `entries` replace: they go into the quarantine in the same
       * transaction, in this order. `atMs` is the cluster's wall time. Never an empty list.
       */
      readonly quarantined?: { readonly entries: readonly Entry[]; readonly atMs: number };
    }
  /**
   * New stamps for an outbox frame whose stamps were refused. The record's frame replaces the frame at the same
   * position. If the store still holds an entry with the stamp `replaced[i]` under the key of `entries[i]`, the new entry replaces it
   * although the new stamp is lower; otherwise `entries[i]` is merged by stamp.
   */
  | {
      readonly kind: "restamp";
      readonly frame: OutboxFrame;
      readonly entries: readonly Entry[];
      readonly replaced: readonly Stamp[];
      /** Those of `replaced` that the store is to remember as taken back. */
      readonly takenBack: readonly Stamp[];
    }
  /** Progress without entries: the node's cursor, its outbox, its horizon. */
  | {
      readonly kind: "progress";
      readonly cursor?: Cursor;
      /** Places in other logs: the whole list, newest last. The node has everything before each of them. */
      readonly others?: readonly Cursor[];
      /** The directory has committed the outbox through this position. The store may delete the frames through it. */
      readonly outboxThrough?: number;
      /**
       * The new horizon, a stamp time. One at or below the store's own changes nothing. The store may remove what is purgeable
       * under it once everything appended before this record is merged. If it removed a tombstone sooner, an older
       * entry of the key that still waits in a journal would come back.
       */
      readonly horizon?: number;
    }
  /** Removes entries from the quarantine for good. Unknown ids are ignored. */
  | { readonly kind: "release"; readonly ids: readonly number[] }
  /** The database is a restored copy and takes a new incarnation. */
  | { readonly kind: "adopt"; readonly incarnation: number };

/** The record of entries of other nodes. */
export type RemoteRecord = Extract<ReplicaRecord, { kind: "remote" }>;

/** A run of entries in the directory's log. */
export interface LogFrame {
  /** The sequence just before the run. */
  readonly after: number;
  /** The sequence that a reader has reached after it. Invariant: after + count ≤ through. */
  readonly through: number;
  readonly count: number;
  readonly highestTime: number;
  /** The outbox that the run came from, and its position there; both 0 once the run has been compacted. */
  readonly incarnation: number;
  readonly position: number;
  /** True if the log may lack earlier positions of the outbox. The frame is then kept with position 0, and `OutboxMark.sequence` is 0. */
  readonly incomplete?: boolean;
  readonly block: Uint8Array;
  /** How far this log has followed another directory's log once the run is durable. Not kept with the run. */
  readonly followed?: Cursor;
  /** With `followed`: the head of that epoch as a comparison with it began, which is over. See `DirectoryLog.compared`. Not kept with the run. */
  readonly compared?: Cursor;
  /** Whether somebody waits until the run is durable; by default, yes. A log may have the others wait for each other for some milliseconds. Not kept with the run. */
  readonly isAwaited?: boolean;
}

/** How much of one node's outbox the log has. */
export interface OutboxMark {
  readonly position: number;
  /** The log through this sequence has everything of the outbox through `position`; 0 if it may lack something. */
  readonly sequence: number;
  /** The highest stamp time in the frame at `position`. It tells a restored copy of the outbox from the outbox itself. */
  readonly highestTime: number;
}

/** An entry that was live on this node and that the cluster has deleted. It is kept until an operator decides about it. */
export interface QuarantinedEntry {
  /** Counted from 1 in the order in which entries came into the quarantine; never given twice. */
  readonly id: number;
  readonly entry: Entry;
  /** When the entry was quarantined: the cluster's time, in milliseconds since the Unix epoch. */
  readonly atMs: number;
}

/** The state of a directory's horizon, kept with its log. A new log has 0, 0 and no marks. */
export interface HorizonState {
  /**
   * A stamp time. No entry with a higher one is purgeable; an entry made at or before it that the log lacks was deleted.
   * Never goes back.
   */
  readonly horizon: number;
  /** The horizon stands still until this wall time, in milliseconds since the Unix epoch. */
  readonly frozenUntilMs: number;
  /** The head of the log at moments of the past, oldest first; `atMs` in milliseconds since the Unix epoch. */
  readonly marks: readonly (readonly [atMs: number, sequence: number])[];
}

/** A node as directories remember it, whether it has a link or not. */
export interface RememberedMember {
  readonly id: string;
  readonly region: string;
  readonly url: string;
  readonly ip: string;
  readonly port: number;
  readonly lat: number;
  readonly lon: number;
  /**
   * An odd number while the node is remembered, an even one after an operator has made the directory forget it. A newcomer has 1. It
   * gets 3 once it has been linked for long enough, or when it joins again after it was forgotten, which makes it 2. If two
   * directories know different facts of a node, those with the higher generation win.
   */
  readonly generation: number;
  /** When the node last had a link, by a directory's wall clock, in milliseconds since the Unix epoch. */
  readonly seenAtMs: number;
}
