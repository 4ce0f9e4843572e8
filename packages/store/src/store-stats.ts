import { statSync } from "node:fs";

/** Plain numbers about a store, for its operator. */
export interface StoreStats {
  /**
   * Keys, tombstones and expired ones included. Of what is not in the table yet, a node counts the keys that are new, by a sample where there are
   * many; a directory counts all, so that a key written anew counts twice for a moment. Null if the database is damaged.
   */
  readonly entries: number | null;
  /** Rows of the journal: unfolded ones, and those kept for the outbox or for readers of the log. */
  readonly journalRows: number;
  /** Bytes of the database file, without the write-ahead log. */
  readonly databaseBytes: number;
  readonly walBytes: number;
  /** Entries that are durable and not yet in the table. */
  readonly unfoldedEntries: number;
  readonly unfoldedBytes: number;
  /** Records that are appended and not yet durable. */
  readonly pendingRecords: number;
  readonly pendingBytes: number;
  /** There may be entries that are to be removed and have not been yet. */
  readonly purging: boolean;
  /** The writer has died; the store can be read, but every write fails until the process is restarted. */
  readonly failed: boolean;
}

/** The size of a file, in bytes; 0 if there is none. */
export function fileBytes(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
