import type Database from "better-sqlite3";
import type { JournalRows } from "./journal.ts";

/** Runs changes to the database of the writer, and tells its journal how they ended. */
export class Transactions {
  readonly #database: Database.Database;
  readonly #journal: JournalRows;
  readonly #dieAtStep: number;
  readonly #onCommitted: () => void;
  #synchronous = "";
  #steps = 0;

  /** For crash tests: the thread dies on the step `dieAtStep`; 0 for never. */
  constructor(
    database: Database.Database,
    journal: JournalRows,
    dieAtStep: number,
    onCommitted: () => void,
  ) {
    this.#database = database;
    this.#onCommitted = onCommitted;
    this.#journal = journal;
    this.#dieAtStep = dieAtStep;
  }

  /** Runs `change` as one transaction, with that setting of `synchronous`; throws what it or SQLite throws, having changed nothing. */
  run(synchronous: string, change: () => void): void {
    this.mayDie();
    if (this.#synchronous !== synchronous) this.#database.pragma(`synchronous = ${synchronous}`);
    this.#synchronous = synchronous;
    try {
      this.#database.exec("BEGIN IMMEDIATE");
      change();
      this.#journal.flush();
      this.mayDie();
      this.#database.exec("COMMIT");
    } catch (cause) {
      // SQLite ends some failed transactions by itself.
      if (this.#database.inTransaction) this.#database.exec("ROLLBACK");
      this.#journal.rolledBack();
      throw cause;
    }
    this.#journal.committed();
    this.#onCommitted();
    this.mayDie();
  }

  /** Counts a step. */
  mayDie(): void {
    this.#steps += 1;
    if (this.#steps === this.#dieAtStep) process.exit(1);
  }
}
