/** What the main thread and the writer thread say to each other. */
import type { LogRecord } from "@meridian/ports";
import type { Cursor, ErrorCode, TailRun } from "@meridian/protocol";
import type { Durability } from "./durability.ts";
import type { Claim } from "./disk-room.ts";
import type { StoreKind } from "./schema.ts";
import type { StoreTuning } from "./store-options.ts";
import type { StreamPlace } from "./stream-place.ts";

/** One record of a replica's journal, without what only the main thread needs. */
export type ReplicaWrite =
  | {
      readonly kind: "entries";
      /** The journal row it becomes; 0 if it has no entries and needs none. */
      readonly id: number;
      readonly count: number;
      readonly highestTime: number;
      readonly block: Uint8Array;
      /** How urgently it needs room. */
      readonly claim: Claim;
      /** The outbox position it fills or refills; 0 for what others wrote. */
      readonly outboxPosition: number;
      /** For a restamp: the replaced stamps, as pairs of time and origin. */
      readonly replaced: Float64Array | null;
      /** Likewise, those of them that are taken back. */
      readonly takenBack: Float64Array | null;
      readonly cursor: Cursor | null;
      /** The frame of a log that it came with; null for what came otherwise. */
      readonly run: TailRun | null;
      /** Entries that go into the quarantine. */
      readonly quarantined: QuarantineWrite | null;
      /** Ids of entries that leave it. */
      readonly released: readonly number[];
    }
  | {
      readonly kind: "progress";
      readonly cursor: Cursor | null;
      /** The whole list of cursors in other logs; null to leave it as it is. */
      readonly others: readonly Cursor[] | null;
      readonly outboxThrough: number;
      readonly horizon: number;
    }
  | { readonly kind: "release"; readonly ids: readonly number[] }
  | { readonly kind: "adopt"; readonly incarnation: number };

/** Entries on their way into the quarantine, as a block. */
export interface QuarantineWrite {
  readonly atMs: number;
  readonly count: number;
  readonly block: Uint8Array;
}

/** Epochs of a log, each with the sequence before its first. */
export type Epochs = readonly (readonly [epoch: number, after: number])[];

/** What is written into the directory's database, and the message of a stream that it came with. */
export type DirectoryWrite = (
  | LogRecord
  /** The log is open anew: what follows is of this epoch. */
  | { readonly kind: "epoch"; readonly epoch: number }
  /** The epochs of the stream that the log is made from, oldest first. They replace those that are known. */
  | { readonly kind: "epochs"; readonly epochs: Epochs }
  /** The log is not made from a stream any more: what follows is of this epoch. */
  | { readonly kind: "leave"; readonly epoch: number }
) & { readonly place?: StreamPlace };

/** A failure on its way between threads. */
export interface PlainFailure {
  readonly code: ErrorCode;
  readonly message: string;
}

/** What a journal is told to write. */
export type JournalWrite = ReplicaWrite | DirectoryWrite;

/** What the owner of a replica's store is told with each commit. */
export interface ReplicaCommit {
  /** The highest stamp time that a directory has admitted. */
  readonly admittedTime: number;
  /** The entries that are in the quarantine. */
  readonly quarantined: number;
  /** The last row of the journal that there is or was. */
  readonly journalThrough: number;
}

/** What the owner of a log is told with each commit. */
export interface DirectoryCommit {
  /** The last row of the journal that there is or was. */
  readonly journalThrough: number;
}

/** What may be removed: entries that are purgeable under `horizon` and whose sequence is at most `through`. */
export interface PurgeScope {
  readonly horizon: number;
  readonly through: number;
}

export function isSameScope(a: PurgeScope, b: PurgeScope): boolean {
  return a.horizon === b.horizon && a.through === b.through;
}

/** What the writer thread is asked. Its first request is `open`, its last is `close`. */
export type WriterRequest<Write = JournalWrite> =
  | {
      readonly kind: "open";
      readonly path: string;
      readonly store: StoreKind;
      readonly durability: Durability;
      /** The largest size of the database, in bytes; 0 for no bound. */
      readonly bytesMax: number;
      readonly tuning: StoreTuning;
      /** The nonce of the records of the first use of the redo files; 0 or left out: they are not used. */
      readonly redoNonce?: number;
    }
  /** A record whose generation is not the writer's was sent before a failure was heard of, and fails with it. */
  | { readonly kind: "append"; readonly generation: number; readonly write: Write }
  /** Records of a redo file, which are durable there: as the file has them. */
  | { readonly kind: "redo"; readonly records: Uint8Array }
  /** No record of the redo files counts any more, once everything that was said before is committed. */
  | { readonly kind: "disarm" }
  | { readonly kind: "tick"; readonly nowMs: number }
  /** Fold everything that is there now, whatever else arrives. */
  | { readonly kind: "settle" }
  /** From here on, and once everything that is there now is folded, entries may be removed. */
  | { readonly kind: "purge"; readonly scope: PurgeScope }
  /** The answer to `ask`: everything that was said before it is known. */
  | { readonly kind: "heard"; readonly through: number }
  | { readonly kind: "close" };

/** What the writer thread answers. */
export type WriterReply<Facts = unknown> =
  | { readonly kind: "opened"; readonly journalRows: number }
  /** The next `count` records are durable. */
  | {
      readonly kind: "committed";
      readonly count: number;
      readonly journalRows: number;
      readonly facts: Facts;
    }
  /** The records of the redo file through this serial are in the database; so many bytes more may be in the file and not there. */
  | {
      readonly kind: "redone";
      readonly through: number;
      readonly journalRows: number;
      readonly facts: Facts;
      readonly creditBytes: number;
    }
  /** From here on records with this nonce count, from the serial 1 on. */
  | { readonly kind: "armed"; readonly nonce: number; readonly creditBytes: number }
  /** So many bytes may be in the redo file and not in the database. */
  | { readonly kind: "credit"; readonly creditBytes: number }
  /** Nothing more is written of what was sent before this is heard of; records of `generation` will be. */
  | ({ readonly kind: "failed"; readonly generation: number } & PlainFailure)
  /** The next records cannot be committed for now. They wait, are tried again, and will be `committed`, or `failed`. */
  | ({ readonly kind: "stalled" } & PlainFailure)
  /** Why what others wrote, or a client's set, cannot be stored now: see `WriteHealth`. */
  | {
      readonly kind: "health";
      readonly stall: PlainFailure | null;
      readonly shortage: PlainFailure | null;
    }
  /** The entries of every journal row through this one are in the table; some rows may have gone. */
  | { readonly kind: "folded"; readonly through: number; readonly journalRows: number }
  /** Wants to be told, with the same number, when everything that was said before has been heard. */
  | { readonly kind: "ask"; readonly through: number }
  /** Everything that this allowed to be removed has been, or is one last row. */
  | { readonly kind: "purged"; readonly scope: PurgeScope }
  /** Background work failed and rests until the next commit or tick. */
  | ({ readonly kind: "hindered" } & PlainFailure)
  /** `isRetired`: no record of the redo files counts any more. */
  | { readonly kind: "closed"; readonly isRetired: boolean };
