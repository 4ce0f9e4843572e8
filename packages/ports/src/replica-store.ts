import type {
  Cursor,
  Entry,
  MeridianError,
  OutboxFrame,
  QuarantinedEntry,
  ReplicaRecord,
  Summary,
  TailRun,
  TakenBack,
} from "@meridian/protocol";

import type { Done } from "./done.ts";
import type { EntryMark } from "./entry-mark.ts";
import type { SummaryPage } from "./summary-page.ts";

/** A node's durable state: the data, the outbox and the cursor, committed together. */
export interface ReplicaStore {
  /** The identity of this database: a whole number in [1, 2^48). */
  readonly incarnation: number;
  /** Whether the database was restored from a backup: the original may have sent and replaced since what is in the outbox. */
  readonly isCopy: boolean;
  /** Where the node stood when the store was opened, or has been told to stand since. */
  readonly cursor: Cursor | undefined;
  /**
   * The keys of the frames after the cursor that the store held when it was opened, in the order in which the frames came. Undefined if
   * they were too many to be kept, or are not known.
   */
  readonly tail: readonly TailRun[] | undefined;
  /** Places in other logs before which the node has everything, as last told; newest last. */
  readonly others: readonly Cursor[];
  /** The last outbox position given out; 0 for none. */
  readonly outboxThrough: number;
  /** The last outbox position known to be committed by the directory. Invariant: ≤ outboxThrough. */
  readonly outboxAcknowledged: number;
  /** The highest stamp time the store has ever held: a clock restored from it never goes back. */
  readonly highestTime: number;
  /** The highest stamp time that a directory has admitted. Invariant: ≤ highestTime. */
  readonly admittedTime: number;
  /**
   * The last horizon that a record has made durable; 0 for none. Entries that are purgeable under it mean the same as
   * absent ones, and the store removes them when it gets round to it: not before everything is merged that was appended until
   * this horizon could be read here. What is appended later, and is as old, the owner has to compare with it first.
   */
  readonly horizon: number;
  /** The stamps that durable restamps have taken back, as far as the store remembers. */
  readonly takenBack: Pick<TakenBack, "isEmpty" | "has" | "hasTime">;
  /** Why records of others' entries cannot be made durable now; undefined while they can. Such records fail. The store finds out by itself when that is over. */
  readonly stall: MeridianError | undefined;
  /** Why the next `set` of a client may be refused; undefined while there is clearly room. Every `stall` is also a `shortage`. */
  readonly shortage: MeridianError | undefined;
  /** The newest entry of `key`, tombstones and expired entries included; a purgeable one may be gone or not. */
  get(key: string): Entry | undefined;
  /** Likewise, without the bytes of its value. */
  peek(key: string): EntryMark | undefined;
  /**
   * Outbox frames after `position`, oldest first: as many as fit in `bytesMax` and one turn may read, at least one if there is one.
   * Frames that are appended but not yet durable are left out.
   */
  outboxAfter(position: number, bytesMax: number): readonly OutboxFrame[];
  /**
   * The keys after `key` (null: from the start) in key order, at most `limit`, tombstones and expired included. What is
   * purgeable under `horizon` is left out and does not count towards `limit`; it is never below the store's own,
   * which it is when not given. So the answer is the same before and after a purge.
   */
  summariesAfter(key: string | null, limit: number, horizon?: number): readonly Summary[];
  /**
   * Likewise, but of the next `limit` keys only, those left out included: the work is bounded however many keys are
   * purgeable, and a page may be short, even empty, and yet not be the last.
   */
  summaryPage(key: string | null, limit: number, horizon?: number): SummaryPage;
  /** How many entries are in the quarantine, as far as it is durable. */
  readonly quarantined: number;
  /**
   * Durable entries of the quarantine whose ids are above `id`, in the order of their ids, at most `limit`: as many as one turn may read, at
   * least one if there is one.
   */
  quarantinedAfter(id: number, limit: number): readonly QuarantinedEntry[];
  /** The entry of that id, if it is durably in the quarantine. */
  quarantinedEntry(id: number): QuarantinedEntry | undefined;
  /**
   * Makes a record durable. When one fails, so does everything appended after it and before its `done`, and the
   * store is as if none of it had been appended: the cursor, too, is again the last durable one.
   */
  append(record: ReplicaRecord, done: Done): void;
}
