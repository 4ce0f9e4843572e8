/**
 * Knows how much may still be written. An accepted journal row has to be folded, checkpointed and then deleted, and all of that needs room before it
 * frees any. So new entries are refused while there is still enough room for the accepted ones. A full disk then empties by itself as far as it can,
 * without an operator.
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

/** The same, as a share of the largest size that the store may have. */
const BOUND_RESERVE_SHARE = 1 / 32;

/**
 * What room is asked for. A client's `set` is refused first, a `copy` of what is stored elsewhere after that, and what may make room, such
 * as a delete, last.
 */
export type Claim = "set" | "copy" | "essential";

/** How many reserves each claim leaves free for the claims after it. */
const RESERVES_LEFT: Readonly<Record<Claim, number>> = { set: 2, copy: 1, essential: 0 };

/**
 * Records that are durable elsewhere leave so many reserves free, and are never more than these bytes: what is kept for opening has to hold them, should
 * the disk be full when they are put into the database.
 */
const CREDIT_RESERVES = 32;
const CREDIT_BYTES_MAX = 96 * 1024;

/** What an entry comes to in the table with its indexes, at most, as a multiple of its bytes in the journal. */
const FOLDED_FACTOR = 2;

/** For how long a measurement counts if nothing is written, in milliseconds. */
const MEASURED_FOR_MS = 100;

interface Measured {
  /** What is free beyond what is needed for what was taken; below 0 if there is less. */
  readonly spareBytes: number;
  readonly reserveBytes: number;
}

const UNKNOWN: Measured = { spareBytes: Infinity, reserveBytes: RESERVE_BYTES };

/** How large a database may become. */
export interface RoomBounds {
  /** In pages; 0 for no bound but the disk's. */
  readonly pageCountMax: number;
  /** In bytes; 0 for no bound. */
  readonly bytesMax: number;
}

/** Knows how much the files of a database may grow. */
export class DiskRoom {
  readonly #database: Database.Database;
  readonly #path: string;
  readonly #pageBytes: number;
  readonly #bounds: RoomBounds;
  /** The bytes of journal rows that are not folded yet. */
  #backlogBytes: number;
  #spareBytes = 0;
  #reserveBytes = 0;
  #measuredAtMs = -Infinity;

  /** `backlogBytes` are those of journal rows that are not folded yet. */
  constructor(database: Database.Database, path: string, bounds: RoomBounds, backlogBytes: number) {
    this.#database = database;
    this.#path = path;
    this.#bounds = bounds;
    this.#backlogBytes = backlogBytes;
    this.#pageBytes = Number(database.pragma("page_size", { simple: true }));
  }

  /** The bytes of journal rows that are not folded yet. */
  get backlogBytes(): number {
    return this.#backlogBytes;
  }

  /** Whether there is room for `bytes` of journal rows on top of those that are not folded yet. */
  isFor(bytes: number, claim: Claim, elapsedMs: number): boolean {
    const isOld = elapsedMs - this.#measuredAtMs > MEASURED_FOR_MS;
    if (isOld || !this.#holds(bytes, claim)) this.measure(elapsedMs);
    return this.#holds(bytes, claim);
  }

  /** Whether there is room for the least of sets and `more` reserves beyond that. As far as measured. */
  isAmple(more: number): boolean {
    return this.#spareBytes > this.#reserveBytes * (RESERVES_LEFT.set + more);
  }

  /** How many bytes of journal rows may be durable elsewhere before they are written here: they will find room. As far as measured. */
  get creditBytes(): number {
    const spareBytes = this.#spareBytes - this.#reserveBytes * CREDIT_RESERVES;
    return Math.max(0, Math.min(CREDIT_BYTES_MAX, Math.floor(spareBytes / costOf(2))));
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

  /** Whether there is so little room that free pages should be given back, by the last measurement. */
  get isTight(): boolean {
    return this.#spareBytes < this.#reserveBytes * 4;
  }

  /** The size at which the write-ahead log should be moved into the database, by the last measurement. */
  get walBytesMax(): number {
    return Math.max(this.#reserveBytes, this.#spareBytes) / 4;
  }

  /** Measures the room. */
  measure(elapsedMs: number): void {
    const measured = this.#look();
    this.#spareBytes = measured.spareBytes;
    this.#reserveBytes = measured.reserveBytes;
    this.#measuredAtMs = elapsedMs;
  }

  /** Where the file system does not tell, SQLite has to find out by writing. */
  #look(): Measured {
    const { pageCountMax, bytesMax } = this.#bounds;
    const limitBytes = pageCountMax * this.#pageBytes;
    const reserveBytes = Math.min(RESERVE_BYTES, limitBytes * RESERVE_SHARE);
    try {
      const found = pageCountMax > 0 ? this.#within(limitBytes, reserveBytes) : this.#onDisk();
      if (bytesMax === 0) return found;
      const own = this.#within(bytesMax, bytesMax * BOUND_RESERVE_SHARE);
      return own.spareBytes < found.spareBytes ? own : found;
    } catch {
      return UNKNOWN;
    }
  }

  #holds(bytes: number, claim: Claim): boolean {
    return this.#spareBytes >= costOf(bytes) + this.#reserveBytes * RESERVES_LEFT[claim];
  }

  #within(limitBytes: number, reserveBytes: number): Measured {
    const usedBytes = (this.#pages("page_count") - this.#pages("freelist_count")) * this.#pageBytes;
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
