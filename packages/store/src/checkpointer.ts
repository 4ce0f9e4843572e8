/**
 * Keeping the files small: moving the write-ahead log into the database, and giving free pages at its end back to
 * the file system.
 *
 * Pages that deleted rows leave are used again by whatever is written next; that alone bounds the file. A database that was
 * made with incremental vacuum also shrinks, when more than a quarter of it is free. An older file stays as
 * large as it has ever been, until somebody sets `auto_vacuum` and vacuums it while no program has it open.
 */
import { statSync } from "node:fs";
import type { Clock } from "@meridian/runtime";
import type Database from "better-sqlite3";

/** How long a checkpoint waits for readers, and for how long none is tried after one that did not finish. */
const CHECKPOINT_WAIT_MS = 20;
const CHECKPOINT_PAUSE_MS = 1_000;

/** A database shrinks when it has more free pages than these, and than this share of all. */
const FREE_PAGES_MIN = 1024;
const FREE_SHARE = 0.25;

/** How many pages are given back in one step. */
const STEP_PAGES = 32;

/** Moves the write-ahead log of one connection, and returns free pages. */
export class Checkpointer {
  readonly #database: Database.Database;
  readonly #walPath: string;
  readonly #commitWaitMs: number;
  readonly #clock: Clock;
  readonly #canShrink: boolean;
  readonly #freePages: Database.Statement<[], number>;
  #notBeforeMs = 0;
  /** The bytes of the write-ahead log when it was last looked at; undefined if something may have changed since. */
  #knownBytes: number | undefined;

  /** `commitWaitMs` is for how long the connection waits for others outside of checkpoints. */
  constructor(database: Database.Database, path: string, commitWaitMs: number, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
    this.#walPath = `${path}-wal`;
    this.#commitWaitMs = commitWaitMs;
    this.#freePages = database.prepare<[], number>("PRAGMA freelist_count").pluck();
    this.#canShrink = database.pragma("auto_vacuum", { simple: true }) === 2;
  }

  /** The bytes of the write-ahead log. */
  get walBytes(): number {
    return statSync(this.#walPath, { throwIfNoEntry: false })?.size ?? 0;
  }

  /** A transaction has been committed. */
  written(): void {
    this.#knownBytes = undefined;
  }

  /** Whether the write-ahead log is larger than that, and may be moved. */
  isDue(walBytes: number): boolean {
    this.#knownBytes ??= this.walBytes;
    return this.#knownBytes > walBytes && this.#clock.elapsedMs() >= this.#notBeforeMs;
  }

  /** Moves the write-ahead log into the database. Somebody else's long read makes it wait for another time. */
  run(): void {
    // It is over with the pause unless it finishes.
    this.#notBeforeMs = this.#clock.elapsedMs() + CHECKPOINT_PAUSE_MS;
    this.#knownBytes = undefined;
    this.#database.pragma(`busy_timeout = ${CHECKPOINT_WAIT_MS}`);
    try {
      const [row] = this.#database.pragma("wal_checkpoint(TRUNCATE)") as { busy: number }[];
      if (row?.busy === 0) this.#notBeforeMs = 0;
    } finally {
      this.#database.pragma(`busy_timeout = ${this.#commitWaitMs}`);
    }
  }

  /** Moves the write-ahead log, if there is one, because there is no room. Returns whether that made any. */
  relieve(): boolean {
    // A transaction that has failed may have grown it.
    this.#knownBytes = undefined;
    if (!this.isDue(0)) return false;
    const before = this.walBytes;
    try {
      this.run();
    } catch {
      return false;
    }
    return this.walBytes < before;
  }

  /** Whether enough of the database is free for it to shrink. */
  get isLoose(): boolean {
    if (!this.#canShrink) return false;
    const free = this.#freePages.get() ?? 0;
    if (free <= FREE_PAGES_MIN) return false;
    return free > Number(this.#database.pragma("page_count", { simple: true })) * FREE_SHARE;
  }

  /** Gives some pages back, in a transaction of the caller's. The file is cut at the next checkpoint. */
  shrink(): void {
    this.#database.pragma(`incremental_vacuum(${STEP_PAGES})`);
  }
}
