/**
 * Emptying what has expired, and removing what is purgeable. An expired entry has to win against older stamps for as
 * long as a tombstone has, but its bytes need not be kept for that: it becomes a tombstone of the same stamp. Once the
 * horizon has passed it, it goes, as tombstones do.
 *
 * There is no index on expiry, which would cost every write; the table is walked by row id in short steps instead, and only
 * when something is known to be due.
 */
import { isPurgeable, stampTimeOf, type Entry } from "@meridian/protocol";
import type Database from "better-sqlite3";
import type { StoreKind } from "./schema.ts";
import type { PurgeScope } from "./writer-messages.ts";

/** How many rows one step looks at. */
const STEP_ROWS = 1000;

/** How many rows are emptied or removed between two looks at the clock. */
const ROWS_PER_LOOK = 8;

/** A walk over the table starts no sooner than this many times the last walk's duration after it. */
const REST_FACTOR = 50;

/** A longer step was kept waiting by others, and counts as this many milliseconds. */
const STEP_MS_MAX = 10;

/** The changes that the removal of rows makes to the store's counts. */
export interface Purged {
  /** How many ids below the last row's have become free, less those that are no longer below it. */
  readonly gaps: number;
  /** The highest sequence of a row that was removed; 0 for none. */
  readonly through: number;
}

/** The lowest values at which a row becomes due: an instant of expiry, a horizon, a sequence. */
interface Worth {
  expiryMs: number;
  horizon: number;
  through: number;
}

const AT_ONCE: Readonly<Worth> = { expiryMs: 0, horizon: 0, through: 0 };
const NEVER: Readonly<Worth> = { expiryMs: Infinity, horizon: Infinity, through: Infinity };

type Candidate = [id: number, time: number, expiresAtMs: number, deleted: number, sequence: number];

/** Walks the table of entries. Steps run in transactions of the caller's. */
export class Sweep {
  readonly #sql: Statements;
  readonly #graceMs: number;
  #nowMs = 0;
  /** A walk is worth while once one of these is reached, each as far as it is known: 0 for at once. */
  #worth: Worth = { ...AT_ONCE };
  /** The same for what the walk under way has seen, and what came meanwhile. */
  #next: Worth = { ...NEVER };
  #walked: PurgeScope = { horizon: 0, through: 0 };
  #notBeforeMs = 0;
  /** The time that the steps of this walk have taken. */
  #tookMs = 0;
  #expiredBeforeMs = 0;
  #lastId = 0;
  #nextId: number | undefined;

  constructor(database: Database.Database, kind: StoreKind, graceMs: number) {
    this.#graceMs = graceMs;
    this.#sql = prepare(database, kind);
  }

  /** Whether a walk is under way. */
  get pending(): boolean {
    return this.#nextId !== undefined;
  }

  /** Whether the walk under way removes anything. */
  get isPurging(): boolean {
    return this.pending && this.#walked.horizon > 0;
  }

  /** Takes note of an entry that may be in the table now. */
  expects({ deleted, expiresAtMs, stamp }: Entry): void {
    if (!deleted && expiresAtMs === 0) return;
    const horizon = horizonFor(stamp.time, expiresAtMs);
    const expiryMs = deleted ? Infinity : expiresAtMs;
    for (const worth of [this.#worth, this.#next]) {
      worth.horizon = Math.min(worth.horizon, horizon);
      worth.expiryMs = Math.min(worth.expiryMs, expiryMs);
    }
  }

  /** Takes note of the cluster's wall time. */
  tick(nowMs: number): void {
    this.#nowMs = nowMs;
  }

  /** Whether everything that `scope` allows to be removed has been, as far as is known. */
  isDone(scope: PurgeScope): boolean {
    return !this.isPurging && !this.#isWorth(scope);
  }

  /** Starts a walk if anything can be due. */
  consider(scope: PurgeScope, elapsedMs: number): void {
    if (this.pending || elapsedMs < this.#notBeforeMs) return;
    const expiredBeforeMs = this.#nowMs - this.#graceMs;
    if (this.#worth.expiryMs > expiredBeforeMs && !this.#isWorth(scope)) return;
    this.#walked = scope;
    this.#tookMs = 0;
    this.#expiredBeforeMs = expiredBeforeMs;
    this.#next = { ...NEVER };
    this.#lastId = this.#sql.lastRow.get() ?? 0;
    this.#nextId = 0;
  }

  /** Looks at the next rows until `isOver` says so, and removes no more than `inForce` allows. */
  step(inForce: PurgeScope, elapsedMs: () => number, isOver: () => boolean): Purged {
    const startedMs = elapsedMs();
    const from = this.#nextId ?? 0;
    const to = this.#sql.rowAfter.get(from, STEP_ROWS - 1) ?? this.#lastId;
    const lastRow = this.#sql.lastRow.get() ?? 0;
    const horizon = Math.min(this.#walked.horizon, inForce.horizon);
    const through = Math.min(this.#walked.through, inForce.through);
    let reached = to;
    let changes = 0;
    const purged = { rows: 0, through: 0 };
    for (const [id, time, expiresAtMs, deleted, sequence] of this.#sql.candidates.all(from, to)) {
      const facts = { stamp: { time, origin: 0 }, deleted: deleted === 1, expiresAtMs };
      const isDue = isPurgeable(facts, horizon);
      if (isDue && sequence <= through) {
        this.#sql.delete.run(id);
        purged.rows += 1;
        purged.through = Math.max(purged.through, sequence);
      } else {
        if (isDue) this.#next.through = Math.min(this.#next.through, sequence);
        else this.#next.horizon = Math.min(this.#next.horizon, horizonFor(time, expiresAtMs));
        if (facts.deleted) continue;
        if (expiresAtMs > this.#expiredBeforeMs) {
          this.#next.expiryMs = Math.min(this.#next.expiryMs, expiresAtMs);
          continue;
        }
        this.#sql.empty.run(id);
      }
      changes += 1;
      if (changes % ROWS_PER_LOOK !== 0 || !isOver()) continue;
      reached = id;
      break;
    }
    this.#tookMs += Math.min(STEP_MS_MAX, elapsedMs() - startedMs);
    this.#nextId = reached;
    if (reached >= this.#lastId) this.#end(elapsedMs());
    // Rows that went from the end leave no gap: their ids are given again.
    const shorter = lastRow - (this.#sql.lastRow.get() ?? 0);
    return { gaps: purged.rows - shorter, through: purged.through };
  }

  /** Ends the walk after a step that failed; it starts again later. */
  reset(): void {
    this.#nextId = undefined;
    this.#worth = { ...AT_ONCE };
  }

  #end(elapsedMs: number): void {
    this.#nextId = undefined;
    this.#worth = this.#next;
    this.#notBeforeMs = elapsedMs + this.#tookMs * REST_FACTOR;
  }

  #isWorth({ horizon, through }: PurgeScope): boolean {
    if (horizon === 0) return false;
    return horizon >= this.#worth.horizon || through >= this.#worth.through;
  }
}

/** The lowest horizon under which a tombstone, or an entry that expires, is purgeable. */
function horizonFor(time: number, expiresAtMs: number): number {
  return expiresAtMs === 0 ? time : Math.max(time, stampTimeOf(expiresAtMs));
}

interface Statements {
  readonly candidates: Database.Statement<[number, number], Candidate>;
  readonly rowAfter: Database.Statement<[number, number], number>;
  readonly lastRow: Database.Statement<[], number | null>;
  readonly empty: Database.Statement<[number]>;
  readonly delete: Database.Statement<[number]>;
}

function prepare(database: Database.Database, kind: StoreKind): Statements {
  const sequence = kind === "directory" ? "sequence" : "0";
  return {
    candidates: database
      .prepare<[number, number], Candidate>(
        `SELECT id, time, expires_at, deleted, ${sequence} FROM entries
         WHERE id > ? AND id <= ? AND (deleted = 1 OR expires_at > 0) ORDER BY id`,
      )
      .raw() as Database.Statement<[number, number], Candidate>,
    rowAfter: database
      .prepare<[number, number], number>(
        "SELECT id FROM entries WHERE id > ? ORDER BY id LIMIT 1 OFFSET ?",
      )
      .pluck(),
    lastRow: database.prepare<[], number | null>("SELECT max(id) FROM entries").pluck(),
    empty: database.prepare(
      "UPDATE entries SET value = x'', content_type = '', deleted = 1 WHERE id = ?",
    ),
    delete: database.prepare("DELETE FROM entries WHERE id = ?"),
  };
}
