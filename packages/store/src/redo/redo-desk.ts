/**
 * The redo files as the writer thread sees them. It says which records count, and how many bytes of them may be ahead of the database: as many as are
 * sure to find room there. While there is little room, none may be, and every record is committed before it is acknowledged.
 */
import type Database from "better-sqlite3";
import type { DiskRoom } from "../disk-room.ts";
import type { Transactions } from "../transactions.ts";
import type { WriterReply } from "../writer-messages.ts";
import { saveRedoNonce } from "./redo-table.ts";

/** What the desk is made of. */
export interface RedoDeskOptions {
  readonly database: Database.Database;
  readonly room: DiskRoom;
  readonly transactions: Transactions;
  /** The `synchronous` of a commit. */
  readonly synchronous: string;
  /** The nonce of the first use; 0 if the files are not used. */
  readonly nonce: number;
  /** Whether the disk takes what it is given. */
  isHealthy(): boolean;
  reply(reply: WriterReply<never>): void;
}

/** Decides what the redo files are used for. */
export class RedoDesk {
  readonly #options: RedoDeskOptions;
  readonly #mark: Database.Statement<[number]>;
  #nonce: number;
  #isArmed = false;
  /** Whether the next commit ends the use of the files. */
  #isEnding = false;
  #toldBytes = 0;

  constructor(options: RedoDeskOptions) {
    this.#options = options;
    this.#nonce = options.nonce;
    this.#mark = options.database.prepare("UPDATE redo SET through = ?");
  }

  /** How many bytes of records may be ahead of the database; the answer is taken for told. */
  creditBytes(): number {
    const { room } = this.#options;
    this.#toldBytes = this.#isArmed && this.#options.isHealthy() ? room.creditBytes : 0;
    return this.#toldBytes;
  }

  /** Begins to use the files where they are of use and not used, and tells what has changed. */
  look(): void {
    const { nonce, room, transactions, synchronous, database } = this.#options;
    const toldBytes = this.#toldBytes;
    if (this.#isArmed) {
      const creditBytes = this.creditBytes();
      const isNews = creditBytes < toldBytes || creditBytes > toldBytes * 2;
      if (isNews) this.#options.reply({ kind: "credit", creditBytes });
      return;
    }
    if (nonce === 0 || this.#isEnding || !this.#options.isHealthy() || room.creditBytes === 0)
      return;
    try {
      transactions.run(synchronous, () => saveRedoNonce(database, this.#nonce));
    } catch {
      // A disk that does not take this is found out by the next record.
      return;
    }
    this.#isArmed = true;
    this.#options.reply({ kind: "armed", nonce: this.#nonce, creditBytes: this.creditBytes() });
    this.#nonce += 1;
  }

  /** The database gets the records through `serial`, in the transaction of the caller's. */
  mark(serial: number): void {
    this.#mark.run(serial);
  }

  /** The next commit says that no record counts any more. */
  end(): void {
    if (this.#isArmed) this.#isEnding = true;
    this.#isArmed = false;
  }

  /** Says so, if that is due, in the transaction of the caller's. */
  writeEnd(): void {
    if (this.#isEnding) saveRedoNonce(this.#options.database, 0);
  }

  /** A transaction that has called `writeEnd` is committed. */
  committed(): void {
    this.#isEnding = false;
  }

  /** Ends the use of the files now, when everything is in the database. Returns whether no record counts any more. */
  retire(): boolean {
    this.end();
    if (!this.#isEnding) return true;
    const { transactions, synchronous } = this.#options;
    try {
      transactions.run(synchronous, () => this.writeEnd());
    } catch {
      return false;
    }
    this.#isEnding = false;
    return true;
  }
}
