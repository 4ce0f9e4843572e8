import type { JournalRow } from "./journal.ts";

/** The bytes of blocks beyond which rows are forgotten: folding is behind then, and reads them from the database. */
const BYTES_MAX = 512 * 1024;

/**
 * The newest rows of a journal, as they were written. Most rows are folded within milliseconds; to read them from the database for that would cost as
 * much as to write them.
 */
export class UnfoldedRows {
  readonly #bytesMax: number;
  /** Invariant: each row of the journal whose id is above this one is in `#rows`, in the order of the ids. */
  #after: number;
  #rows: JournalRow[] = [];
  #bytes = 0;

  /** Knows no row yet; the last one of the journal is `through`. */
  constructor(through: number, bytesMax: number = BYTES_MAX) {
    this.#after = through;
    this.#bytesMax = bytesMax;
  }

  /** A row is in the database, behind all others. Its blocks must not change. */
  add(row: JournalRow): void {
    this.#rows.push(row);
    this.#bytes += row.block.byteLength;
    if (this.#bytes > this.#bytesMax) this.forget(row.id);
  }

  /** All rows behind the one with that id; undefined if some of them may be only in the database. */
  rowsAfter(id: number): readonly JournalRow[] | undefined {
    if (id < this.#after) return undefined;
    return id === this.#after ? this.#rows : this.#rows.filter((row) => row.id > id);
  }

  /** The rows through this one are folded. */
  folded(through: number): void {
    if (through <= this.#after) return;
    this.#rows = this.#rows.filter((row) => row.id > through);
    this.#bytes = this.#rows.reduce((sum, { block }) => sum + block.byteLength, 0);
    this.#after = through;
  }

  /** What was added may not be in the database; the last row that certainly is there is `through`. */
  forget(through: number): void {
    this.#rows = [];
    this.#bytes = 0;
    this.#after = through;
  }
}
