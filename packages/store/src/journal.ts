import type { Purged } from "./sweep.ts";
import type { JournalWrite } from "./writer-messages.ts";

/** A journal row as folding needs it. */
export interface JournalRow {
  readonly id: number;
  readonly count: number;
  /** For a restamp: the replaced stamps, as pairs of doubles. */
  readonly replaced: Uint8Array | null;
  readonly block: Uint8Array;
}

/**
 * A journal as the writer thread sees it: rows in the order of their ids, the earlier ones folded.
 * All that changes it runs in a transaction of the caller's, who then says how that ended.
 */
export interface Journal {
  /** The last row that there is or was. */
  readonly through: number;
  /** The last row whose entries are in the table. Invariant: ≤ through. */
  readonly foldedThrough: number;
  /** How many rows there are. */
  readonly rows: number;
  /** The highest stamp time that a directory has admitted; 0 where that has no meaning. */
  readonly admittedTime: number;
  /** The durable horizon of a replica, under which entries may be removed from the opening on; 0 for a directory. */
  readonly horizon: number;
  /** The entries that are in the quarantine; 0 for a directory. */
  readonly quarantined: number;
  /** While set, rows go as soon as they may: nothing is kept only because it is recent. */
  pressed: boolean;
  /** Whether there may be rows that are no longer needed. */
  readonly canTrim: boolean;
  write(write: JournalWrite): void;
  /** Ends a run of writes, before the commit. */
  flush(): void;
  rowsAfter(id: number): Iterable<JournalRow>;
  markFolded(through: number): void;
  /** Takes note of what the removal of entries from the table has changed. */
  markPurged(purged: Purged): void;
  /** Deletes some of the rows that are no longer needed, at least one if there is one, until `isOver` says so: a row may be large. */
  trim(isOver: () => boolean): void;
  /** Keeps what was done since the last call of either. */
  committed(): void;
  /** Forgets what was done since the last call of either. */
  rolledBack(): void;
}
