/**
 * Emptying what has expired. An expired entry has to win against older stamps for as long as a tombstone has, but its
 * bytes need not be kept for that: it becomes a tombstone of the same stamp. There is no index on
 * expiry, which would cost every write; the table is walked by row id in short steps instead.
 */
import type Database from "better-sqlite3";

/** How many rows one step looks at. */
const STEP_ROWS = 1000;

/** A walk over the table starts no sooner than this many times the last walk's duration after it. */
const REST_FACTOR = 50;

/** Walks the table of entries and empties what has expired. Steps run in transactions of the caller's. */
export class Sweep {
  readonly #empty: Database.Statement<[number, number, number]>;
  readonly #earliest: Database.Statement<[number, number], number | null>;
  readonly #lastRow: Database.Statement<[], number | null>;
  readonly #graceMs: number;
  /** The instant of expiry at which the next walk is worth while; 0 where that is not known. */
  #worthAtMs = 0;
  #earliestMs = Infinity;
  #notBeforeMs = 0;
  #startedMs = 0;
  #expiredBeforeMs = 0;
  #lastId = 0;
  #nextId: number | undefined;

  constructor(database: Database.Database, graceMs: number) {
    this.#graceMs = graceMs;
    this.#empty = database.prepare(
      `UPDATE entries SET value = x'', content_type = '', deleted = 1
       WHERE id > ? AND id <= ? AND deleted = 0 AND expires_at > 0 AND expires_at <= ?`,
    );
    this.#earliest = database
      .prepare<[number, number], number | null>(
        `SELECT min(expires_at) FROM entries
         WHERE id > ? AND id <= ? AND deleted = 0 AND expires_at > 0`,
      )
      .pluck();
    this.#lastRow = database.prepare<[], number | null>("SELECT max(id) FROM entries").pluck();
  }

  /** Whether a walk is under way. */
  get pending(): boolean {
    return this.#nextId !== undefined;
  }

  /** Takes note that a value was folded which expires at `expiresAtMs`. */
  expects(expiresAtMs: number): void {
    this.#worthAtMs = Math.min(this.#worthAtMs, expiresAtMs);
    this.#earliestMs = Math.min(this.#earliestMs, expiresAtMs);
  }

  /** Starts a walk if by `nowMs`, the cluster's wall time, anything can be due. */
  tick(nowMs: number, elapsedMs: number): void {
    if (this.pending || elapsedMs < this.#notBeforeMs) return;
    if (this.#worthAtMs + this.#graceMs > nowMs) return;
    this.#startedMs = elapsedMs;
    this.#expiredBeforeMs = nowMs - this.#graceMs;
    this.#earliestMs = Infinity;
    this.#lastId = this.#lastRow.get() ?? 0;
    this.#nextId = 0;
  }

  /** Looks at the next rows. */
  step(elapsedMs: number): void {
    const from = this.#nextId ?? 0;
    const to = from + STEP_ROWS;
    this.#empty.run(from, to, this.#expiredBeforeMs);
    this.#earliestMs = Math.min(this.#earliestMs, this.#earliest.get(from, to) ?? Infinity);
    this.#nextId = to;
    if (to < this.#lastId) return;
    this.#nextId = undefined;
    this.#worthAtMs = this.#earliestMs;
    this.#notBeforeMs = elapsedMs + (elapsedMs - this.#startedMs) * REST_FACTOR;
  }

  /** Ends the walk after a step that failed; it starts again later. */
  reset(): void {
    this.#nextId = undefined;
    this.#worthAtMs = 0;
  }
}
