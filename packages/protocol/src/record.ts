/** What stores keep and machines exchange: runs of entries with their place in an outbox or a log. */
import type { Entry } from "./entry.ts";
import type { Cursor } from "./message.ts";
import type { Stamp } from "./stamp.ts";

/** A run of the node's own writes that left or will leave as one frame. */
export interface OutboxFrame {
  /** Counted from 1, without gaps. */
  readonly position: number;
  readonly count: number;
  readonly highestTime: number;
  /** The entries as `encodeBlock` lays them out. */
  readonly block: Uint8Array;
}

/** What a node's store is told to make durable. Records are committed in the order they are appended. */
export type ReplicaRecord =
  /** The node's own writes, in one transaction with their place in the outbox. Readable once durable. */
  | {
      readonly kind: "local";
      readonly frame: OutboxFrame;
      readonly entries: readonly Entry[];
      /** Ids of quarantined entries that leave the quarantine with this write, in the same transaction. */
      readonly released?: readonly number[];
    }
  /** What others wrote, merged by stamp. Readable at once: the log has it already. */
  | {
      readonly kind: "remote";
      readonly entries: readonly Entry[];
      readonly block: Uint8Array;
      readonly highestTime: number;
      /** Where the node stands once this is durable, if it may resume from there. */
      readonly cursor?: Cursor;
      /** Where in a log the frame ends that brought this; missing for what was given outside the order of the log. */
      readonly place?: Cursor;
      /**
       * Entries that the store holds and that burials among `entries` replace: they go into the quarantine in the same
       * transaction, in this order. `atMs` is the cluster's wall time. Never an empty list.
       */
      readonly quarantined?: { readonly entries: readonly Entry[]; readonly atMs: number };
    }
  /**
   * New stamps for an outbox frame whose old ones were refused. It takes the place of the frame of the same
   * position. Where an entry's key still holds exactly `replaced[i]`, the new entry replaces it although its
   * stamp is lower; elsewhere it is merged as always.
   */
  | {
      readonly kind: "restamp";
      readonly frame: OutboxFrame;
      readonly entries: readonly Entry[];
      readonly replaced: readonly Stamp[];
    }
  /** Where the node stands, without entries. */
  | {
      readonly kind: "progress";
      readonly cursor?: Cursor;
      /** Places in other logs before which the node has everything: the whole list, newest last. */
      readonly others?: readonly Cursor[];
      /** The directory has committed the outbox through here; it may be forgotten. */
      readonly outboxThrough?: number;
      /**
       * The horizon from here on, a stamp time. One at or below the store's own changes nothing. Whatever is purgeable
       * under it may be removed once everything appended before this record is merged, and not sooner: an older
       * entry that still waits in a journal would come back.
       */
      readonly horizon?: number;
    }
  /** These entries leave the quarantine for good. Ids that are not there are passed over. */
  | { readonly kind: "release"; readonly ids: readonly number[] }
  /** The database is a restored copy: from here on it counts as a new one. */
  | { readonly kind: "adopt"; readonly incarnation: number };

/** What others wrote, as a node's store is told of it. */
export type RemoteRecord = Extract<ReplicaRecord, { kind: "remote" }>;

/** A run of entries in the directory's log. */
export interface LogFrame {
  /** The sequence just before the run. */
  readonly after: number;
  /** The sequence that a reader has reached after it. Invariant: after + count ≤ through. */
  readonly through: number;
  readonly count: number;
  readonly highestTime: number;
  /** Whose outbox it came from, and where in it; both 0 once the run has been compacted. */
  readonly incarnation: number;
  readonly position: number;
  /** The log may lack earlier positions of the outbox: the frame is kept as one of no position, and `OutboxMark.sequence` is 0. */
  readonly incomplete?: boolean;
  readonly block: Uint8Array;
  /** What this log has of another directory's log once the run is durable. Not kept with the run. */
  readonly followed?: Cursor;
}

/** How far the log has one node's outbox. */
export interface OutboxMark {
  readonly position: number;
  /** The log has everything of the outbox through that position by this sequence; 0 where it may lack something. */
  readonly sequence: number;
  /** The highest stamp time in that position: tells a restored copy of the outbox from the one that went on. */
  readonly highestTime: number;
}

/** An entry that was live on this node and is deleted by the cluster's word: kept for an operator to decide. */
export interface QuarantinedEntry {
  /** Counted from 1 in the order in which entries came into the quarantine; never given twice. */
  readonly id: number;
  readonly entry: Entry;
  /** When it came into the quarantine, by the cluster's wall time in milliseconds since the Unix epoch. */
  readonly atMs: number;
}

/** What a directory keeps of its horizon with its log. A log that was never told has 0, 0 and no marks. */
export interface HorizonState {
  /**
   * A stamp time: nothing is purgeable above it, and an entry made at or before it that is absent here was deleted.
   * Never goes back.
   */
  readonly horizon: number;
  /** Until this wall time the horizon does not follow the clock. */
  readonly frozenUntilMs: number;
  /** How far the log was ordered at moments of the past, by wall time, oldest first. */
  readonly marks: readonly (readonly [atMs: number, sequence: number])[];
}

/** A node as directories remember it, whether it is there or not. */
export interface RememberedMember {
  readonly id: string;
  readonly region: string;
  readonly url: string;
  readonly ip: string;
  readonly port: number;
  readonly lat: number;
  readonly lon: number;
  /**
   * Odd while the node is remembered, even once it is forgotten: 1 when it first comes, 2 when an operator forgets it, 3
   * when it comes back after that. Of what two directories know of a node, the higher generation holds.
   */
  readonly generation: number;
  /** When the node was last known to be there, by a directory's wall clock. */
  readonly seenAtMs: number;
}
