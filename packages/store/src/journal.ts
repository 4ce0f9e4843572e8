import type { Purged } from "./sweep.ts";

/** A journal row as folding needs it. */
export interface JournalRow {
  readonly id: number;
  readonly count: number;
  /** For a restamp: the replaced stamps, as pairs of doubles. */
  readonly replaced: Uint8Array | null;
  readonly block: Uint8Array;
}

/** The rows of a journal in the order of their ids, the earlier ones folded, whatever they hold. */
export interface JournalRows {
  /** The last row that there is or was. */
  readonly through: number;
  /** The last row whose entries are in the table. Invariant: ≤ through. */
  readonly foldedThrough: number;
  /** How many rows there are. */
  readonly rows: number;
  /** The durable horizon of a replica, under which entries may be removed from the opening on; 0 for a directory. */
  readonly horizon: number;
  /** While set, rows go as soon as they may: nothing is kept only because it is recent. */
  pressed: boolean;
  /** Whether there may be rows that are no longer needed. */
  readonly canTrim: boolean;
  rowsAfter(id: number): Iterable<JournalRow>;
  markFolded(through: number): void;
  /** Takes note of what the removal of entries from the table has changed. */
  markPurged(purged: Purged): void;
  /** Deletes some of the rows that are no longer needed, at least one if there is one, until `isOver` says so: a row may be large. */
  trim(isOver: () => boolean): void;
  /** Ends a run of changes, before the commit. */
  flush(): void;
  /** Keeps what was done since the last call of either. */
  committed(): void;
  /** Forgets what was done since the last call of either. */
  rolledBack(): void;
}

/**
 * A journal as the writer thread sees it: what it takes, and the facts that its owner is told with each commit.
 * All that changes it runs in a transaction of the caller's, who then says how that ended.
 */
export interface Journal<Write, Facts> extends JournalRows {
  readonly facts: Facts;
  write(write: Write): void;
}
