/**
 * How much may still be written. A journal row that is taken has to be folded, checkpointed and, once that is done,
 * deleted; all of that needs room before it gives any back. So new entries are refused while there is still enough for
 * what was taken already: a full disk then empties by itself as far as it can, and never has to be helped.
 *
 * Other programs may fill the disk all the same. Then SQLite says so, nothing that was promised is lost, and
 * everything goes on when there is room.
 */
import { statfsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import type Database from "better-sqlite3";

/** What is kept free for acknowledgements, folding and checkpoints, in bytes; an eighth of the disk if that is less. */
const RESERVE_BYTES = 1024 * 1024;
const RESERVE_SHARE = 1 / 8;

/** What an entry comes to in the table with its indexes, at most, as a multiple of its bytes in the journal. */
const FOLDED_FACTOR = 2;

/** How long a measurement holds, in milliseconds, if nothing is written. */
const MEASURED_FOR_MS = 100;

interface Measured {
  /** What is free beyond what is needed for what was taken; below 0 if there is less. */
  readonly spareBytes: number;
  readonly reserveBytes: number;
}

const UNKNOWN: Measured = { spareBytes: Infinity, reserveBytes: RESERVE_BYTES };

/** Knows how much the files of a database may grow. */
export class DiskRoom {
  readonly #database: Database.Database;
  readonly #path: string;
  readonly #pageBytes: number;
  readonly #pageCountMax: number;
  /** The bytes of journal rows that are not folded yet. */
  #backlogBytes: number;
  #spareBytes = 0;
  #reserveBytes = 0;
  #measuredAtMs = -Infinity;

  /** `pageCountMax` is the largest size of the database in pages; 0 for no bound but the disk's. */
  constructor(
    database: Database.Database,
    path: string,
    pageCountMax: number,
    backlogBytes: number,
  ) {
    this.#database = database;
    this.#path = path;
    this.#pageCountMax = pageCountMax;
    this.#backlogBytes = backlogBytes;
    this.#pageBytes = Number(database.pragma("page_size", { simple: true }));
  }

  /** The bytes of journal rows that are not folded yet. */
  get backlogBytes(): number {
    return this.#backlogBytes;
  }

  /** Whether there is room for `bytes` of journal rows on top of those that are not folded yet. */
  isFor(bytes: number, elapsedMs: number): boolean {
    if (elapsedMs - this.#measuredAtMs > MEASURED_FOR_MS || this.#spareBytes < costOf(bytes)) {
      this.measure(elapsedMs);
    }
    return this.#spareBytes >= costOf(bytes);
  }

  /** Takes note of journal rows that were written. */
  spend(bytes: number): void {
    this.#backlogBytes += bytes;
    this.#spareBytes -= costOf(bytes);
  }

  /** Takes note of journal rows that were folded. */
  fold(bytes: number): void {
    this.#backlogBytes -= bytes;
  }

  /** Whether what can be given back had better be given back. As far as measured. */
  get isTight(): boolean {
    return this.#spareBytes < this.#reserveBytes * 4;
  }

  /** How large the write-ahead log may grow before it is better moved into the database. As far as measured. */
  get walBytesMax(): number {
    return Math.max(this.#reserveBytes, this.#spareBytes) / 4;
  }

  /** Looks how much room there is. */
  measure(elapsedMs: number): void {
    const measured = this.#look();
    this.#spareBytes = measured.spareBytes;
    this.#reserveBytes = measured.reserveBytes;
    this.#measuredAtMs = elapsedMs;
  }

  /** Where the file system does not tell, SQLite has to find out by writing. */
  #look(): Measured {
    try {
      return this.#pageCountMax > 0 ? this.#inPages() : this.#onDisk();
    } catch {
      return UNKNOWN;
    }
  }

  #inPages(): Measured {
    const limitBytes = this.#pageCountMax * this.#pageBytes;
    const usedBytes = (this.#pages("page_count") - this.#pages("freelist_count")) * this.#pageBytes;
    const reserveBytes = Math.min(RESERVE_BYTES, limitBytes * RESERVE_SHARE);
    const spareBytes = limitBytes - usedBytes - this.#backlogBytes * FOLDED_FACTOR - reserveBytes;
    return { spareBytes, reserveBytes };
  }

  #onDisk(): Measured {
    const { bavail, blocks, bsize } = statfsSync(dirname(this.#path));
    if (blocks === 0) return UNKNOWN;
    const reserveBytes = Math.min(RESERVE_BYTES, blocks * bsize * RESERVE_SHARE);
    const fileBytes = statSync(this.#path).size;
    // What the next checkpoint adds to the file, and what folding will add after that.
    const unmovedBytes = Math.max(0, this.#pages("page_count") * this.#pageBytes - fileBytes);
    const reusableBytes = this.#pages("freelist_count") * this.#pageBytes;
    const growthBytes = Math.max(0, this.#backlogBytes * FOLDED_FACTOR - reusableBytes);
    return { spareBytes: bavail * bsize - unmovedBytes - growthBytes - reserveBytes, reserveBytes };
  }

  #pages(pragma: "page_count" | "freelist_count"): number {
    return Number(this.#database.pragma(pragma, { simple: true }));
  }
}

/** What journal rows take until they are folded: their place in the write-ahead log, in the journal, and in the table. */
function costOf(bytes: number): number {
  return bytes * (2 + FOLDED_FACTOR);
}
