/**
 * The journal of a replica is also its outbox: a row stays until it is folded and, if it is the node's own, until the directory has acknowledged it.
 * A restamp is a row of its own, which takes the outbox position over from the row it replaces: so the journal keeps the exact order of events, and
 * folding it twice has the same result.
 *
 * Rows are put into the database at the end of the transaction that brings them, without those that are folded in it and not needed any more.
 */
import { MeridianError, type Cursor } from "@meridian/protocol";
import type Database from "better-sqlite3";
import { readCursors, replaceCursors } from "./cursor-table.ts";
import type { Journal, JournalRow } from "./journal.ts";
import { QuarantineWriter } from "./quarantine.ts";
import { applyRecord, type ReplicaFacts } from "./replica-state.ts";
import type { Purged } from "./sweep.ts";
import { TailWriter } from "./tail-table.ts";
import { TakenBackWriter } from "./taken-back-table.ts";
import { runEnds, type SizedRow } from "./trim-run.ts";
import { UnfoldedRows } from "./unfolded-rows.ts";
import type { ReplicaCommit, ReplicaWrite } from "./writer-messages.ts";

/** How many rows one call of `trim` looks at. */
const TRIM_ROWS = 256;

interface State {
  facts: ReplicaFacts;
  admittedTime: number;
  foldedThrough: number;
  quarantined: number;
  gaps: number;
  rows: number;
  /** Rows through this one were looked at by `trim` once they were folded; those that are left are in the outbox. */
  trimmedThrough: number;
  /** The outbox position through which folded rows are known to be deleted. */
  outboxTrimmed: number;
  dirty: boolean;
}

interface NewRow {
  readonly row: JournalRow;
  readonly highestTime: number;
  /** Null for a row that is not in the outbox. */
  readonly outboxPosition: number | null;
}

/** The state row of a replica's database. */
export interface ReplicaStateRow {
  readonly incarnation: number;
  readonly cursor_log_id: number | null;
  readonly cursor_epoch: number | null;
  readonly cursor_sequence: number | null;
  readonly outbox_through: number;
  readonly outbox_acknowledged: number;
  readonly highest_time: number;
  readonly admitted_time: number;
  readonly journal_through: number;
  readonly folded_through: number;
  readonly horizon: number;
  readonly quarantine_through: number;
  readonly quarantined: number;
  readonly gaps: number;
}

/** Reads the state row. */
export function readReplicaState(database: Database.Database): ReplicaStateRow {
  const row = database.prepare<[], ReplicaStateRow>("SELECT * FROM state WHERE id = 1").get();
  if (row === undefined) {
    throw new MeridianError("STORE_CORRUPT", "Expected a state row in the database, got none");
  }
  return row;
}

/** What the store knows by its state row and its list of cursors. */
export function readReplicaFacts(
  database: Database.Database,
  row: ReplicaStateRow = readReplicaState(database),
): ReplicaFacts {
  return {
    incarnation: row.incarnation,
    cursor: cursorOf(row),
    others: readCursors(database, "cursors"),
    outboxThrough: row.outbox_through,
    outboxAcknowledged: row.outbox_acknowledged,
    highestTime: row.highest_time,
    journalThrough: row.journal_through,
    horizon: row.horizon,
    quarantineThrough: row.quarantine_through,
  };
}

function cursorOf(row: ReplicaStateRow): Cursor | undefined {
  const { cursor_log_id: logId, cursor_epoch: epoch, cursor_sequence: sequence } = row;
  return logId === null || epoch === null || sequence === null
    ? undefined
    : { logId, epoch, sequence };
}

/** Creates the journal of a replica on the writer thread. */
export function replicaJournal(database: Database.Database): Journal<ReplicaWrite, ReplicaCommit> {
  return new ReplicaJournal(database);
}

class ReplicaJournal implements Journal<ReplicaWrite, ReplicaCommit> {
  readonly #database: Database.Database;
  readonly #sql: Statements;
  readonly #quarantine: QuarantineWriter;
  readonly #tail: TailWriter;
  readonly #takenBack: TakenBackWriter;
  readonly #unfolded: UnfoldedRows;
  /** Nothing is kept for being recent. */
  pressed = false;
  /** Rows of the transaction that is under way, which are not in the database. */
  #new: NewRow[] = [];
  #state: State;
  #kept: State;
  /** The list of cursors that the database has. */
  #savedOthers: readonly Cursor[];

  constructor(database: Database.Database) {
    this.#database = database;
    this.#sql = prepare(database);
    this.#quarantine = new QuarantineWriter(database);
    this.#tail = new TailWriter(database);
    this.#takenBack = new TakenBackWriter(database);
    const row = readReplicaState(database);
    this.#state = {
      facts: readReplicaFacts(database, row),
      admittedTime: row.admitted_time,
      foldedThrough: row.folded_through,
      quarantined: row.quarantined,
      gaps: row.gaps,
      rows: Number(database.prepare("SELECT count(*) FROM journal").pluck().get()),
      trimmedThrough: 0,
      outboxTrimmed: 0,
      dirty: false,
    };
    this.#kept = { ...this.#state };
    this.#savedOthers = this.#state.facts.others;
    this.#unfolded = new UnfoldedRows(row.journal_through);
  }

  get through(): number {
    return this.#state.facts.journalThrough;
  }

  get foldedThrough(): number {
    return this.#state.foldedThrough;
  }

  get rows(): number {
    return this.#state.rows;
  }

  get facts(): ReplicaCommit {
    const { admittedTime, quarantined, facts } = this.#state;
    return { admittedTime, quarantined, journalThrough: facts.journalThrough };
  }

  get horizon(): number {
    return this.#state.facts.horizon;
  }

  get canTrim(): boolean {
    const { trimmedThrough, foldedThrough, outboxTrimmed, facts } = this.#state;
    return trimmedThrough < foldedThrough || outboxTrimmed < facts.outboxAcknowledged;
  }

  write(write: ReplicaWrite): void {
    const state = this.#state;
    const before = state.facts;
    state.dirty = true;
    state.facts = applyRecord(before, write);
    const { cursor } = state.facts;
    if (write.kind === "entries" && write.run !== null) {
      this.#tail.add(write.run.place, write.run.keys);
    }
    if (cursor !== undefined && cursor !== before.cursor) {
      this.#tail.move(before.cursor ?? null, cursor);
    }
    if (write.kind === "entries") this.#writeEntries(write, before);
    else if (write.kind === "release") this.#release(write.ids);
    else this.#admit(before.outboxAcknowledged, state.facts.outboxAcknowledged);
  }

  #writeEntries(write: Extract<ReplicaWrite, { kind: "entries" }>, before: ReplicaFacts): void {
    const state = this.#state;
    const { outboxPosition, highestTime, quarantined } = write;
    if (outboxPosition === 0 && highestTime > state.admittedTime) state.admittedTime = highestTime;
    if (quarantined !== null) {
      this.#quarantine.add(before.quarantineThrough, quarantined);
      state.quarantined += quarantined.count;
    }
    this.#release(write.released);
    if (write.id === 0) return;
    if (write.replaced !== null) this.#leaveOutbox(outboxPosition);
    if (write.takenBack !== null) this.#takenBack.add(write.takenBack);
    const inOutbox = outboxPosition > before.outboxAcknowledged;
    const { id, count, block } = write;
    const replaced = write.replaced === null ? null : bytesOf(write.replaced);
    const row = { id, count, replaced, block };
    this.#new.push({ row, highestTime, outboxPosition: inOutbox ? outboxPosition : null });
    this.#unfolded.add(row);
  }

  /** Puts the new rows into the database that are needed there. Whatever looks for rows by a statement calls this before. */
  #insertNew(): void {
    if (this.#new.length === 0) return;
    const state = this.#state;
    const rows = this.#new;
    this.#new = [];
    for (const { row, highestTime, outboxPosition } of rows) {
      const { id, count, replaced, block } = row;
      if (outboxPosition === null && id <= state.trimmedThrough) continue;
      this.#sql.insert.run(id, count, highestTime, outboxPosition, replaced, block);
      state.rows += 1;
    }
  }

  /** Nothing is left to be deleted of new rows that are folded, if no older ones are, either. */
  #passNew(): void {
    const state = this.#state;
    const first = this.#new[0];
    if (first === undefined || state.trimmedThrough < first.row.id - 1) return;
    state.trimmedThrough = state.foldedThrough;
  }

  /** The row of a restamped position is an ordinary one from now on, and unneeded if it was folded. */
  #leaveOutbox(position: number): void {
    const state = this.#state;
    this.#insertNew();
    const id = this.#sql.idOfPosition.get(position);
    if (id === undefined) return;
    if (id > state.trimmedThrough) {
      this.#sql.leaveOutbox.run(id);
    } else {
      this.#sql.delete.run(id);
      state.rows -= 1;
    }
  }

  #release(ids: readonly number[]): void {
    for (const id of ids) if (this.#quarantine.remove(id)) this.#state.quarantined -= 1;
  }

  /** What the directory has committed of the outbox, it has admitted. */
  #admit(after: number, through: number): void {
    if (through <= after) return;
    this.#insertNew();
    const admitted = this.#sql.highestTime.get(after, through) ?? 0;
    if (admitted > this.#state.admittedTime) this.#state.admittedTime = admitted;
  }

  flush(): void {
    const state = this.#state;
    this.#insertNew();
    if (!state.dirty) return;
    state.dirty = false;
    this.#tail.flush();
    const { facts } = state;
    if (facts.others !== this.#savedOthers) replaceCursors(this.#database, facts.others);
    this.#savedOthers = facts.others;
    this.#sql.saveState.run(
      facts.incarnation,
      facts.cursor?.logId ?? null,
      facts.cursor?.epoch ?? null,
      facts.cursor?.sequence ?? null,
      facts.outboxThrough,
      facts.outboxAcknowledged,
      facts.highestTime,
      state.admittedTime,
      facts.journalThrough,
      state.foldedThrough,
      facts.horizon,
      facts.quarantineThrough,
      state.quarantined,
      state.gaps,
    );
  }

  rowsAfter(id: number): Iterable<JournalRow> {
    const unfolded = this.#unfolded.rowsAfter(id);
    if (unfolded !== undefined) return unfolded;
    this.#insertNew();
    return this.#sql.rowsAfter.iterate(id);
  }

  markFolded(through: number): void {
    this.#unfolded.folded(through);
    this.#state.foldedThrough = through;
    this.#state.dirty = true;
    this.#passNew();
  }

  markPurged({ gaps }: Purged): void {
    this.#state.gaps += gaps;
    this.#state.dirty = true;
  }

  trim(isOver: () => boolean): void {
    this.#insertNew();
    const { trimmedThrough, foldedThrough } = this.#state;
    if (trimmedThrough < foldedThrough) this.#trimFolded(isOver);
    else this.#trimAcknowledged(isOver);
  }

  #trimFolded(isOver: () => boolean): void {
    const state = this.#state;
    const { trimmedThrough, foldedThrough } = state;
    const rows = this.#sql.folded.all(trimmedThrough, foldedThrough);
    for (const id of runEnds(rows)) {
      const { outboxAcknowledged } = state.facts;
      const { changes } = this.#sql.deleteFolded.run(state.trimmedThrough, id, outboxAcknowledged);
      state.rows -= changes;
      state.trimmedThrough = id;
      if (changes > 0 && isOver()) return;
    }
    if (rows.length < TRIM_ROWS) state.trimmedThrough = foldedThrough;
  }

  #trimAcknowledged(isOver: () => boolean): void {
    const state = this.#state;
    const { facts, trimmedThrough } = state;
    const { outboxAcknowledged } = facts;
    const rows = this.#sql.acknowledged.all(outboxAcknowledged, trimmedThrough);
    for (const position of runEnds(rows)) {
      state.rows -= this.#sql.deleteAcknowledged.run(position, trimmedThrough).changes;
      if (isOver()) return;
    }
    if (rows.length < TRIM_ROWS) state.outboxTrimmed = outboxAcknowledged;
  }

  committed(): void {
    this.#kept = { ...this.#state };
    this.#tail.committed();
  }

  rolledBack(): void {
    this.#state = { ...this.#kept };
    this.#savedOthers = this.#kept.facts.others;
    this.#new = [];
    this.#unfolded.forget(this.#kept.facts.journalThrough);
    this.#tail.rolledBack();
  }
}

interface Statements {
  readonly insert: Database.Statement<
    [number, number, number, number | null, Uint8Array | null, Uint8Array]
  >;
  readonly idOfPosition: Database.Statement<[number], number>;
  readonly leaveOutbox: Database.Statement<[number]>;
  readonly delete: Database.Statement<[number]>;
  readonly highestTime: Database.Statement<[number, number], number | null>;
  readonly rowsAfter: Database.Statement<[number], JournalRow>;
  /** Of rows, the id or the position, and the bytes of the block. */
  readonly folded: Database.Statement<[number, number], SizedRow>;
  readonly acknowledged: Database.Statement<[number, number], SizedRow>;
  readonly deleteFolded: Database.Statement<[number, number, number]>;
  readonly deleteAcknowledged: Database.Statement<[number, number]>;
  readonly saveState: Database.Statement<(number | null)[]>;
}

function prepare(database: Database.Database): Statements {
  return {
    insert: database.prepare(
      `INSERT INTO journal (id, count, highest_time, outbox_position, replaced, block)
       VALUES (?, ?, ?, ?, ?, ?)`,
    ),
    idOfPosition: database
      .prepare<[number], number>("SELECT id FROM journal WHERE outbox_position = ?")
      .pluck(),
    leaveOutbox: database.prepare("UPDATE journal SET outbox_position = NULL WHERE id = ?"),
    delete: database.prepare("DELETE FROM journal WHERE id = ?"),
    highestTime: database
      .prepare<[number, number], number | null>(
        `SELECT max(highest_time) FROM journal WHERE outbox_position > ? AND outbox_position <= ?`,
      )
      .pluck(),
    rowsAfter: database.prepare(
      "SELECT id, count, replaced, block FROM journal WHERE id > ? ORDER BY id",
    ),
    folded: database
      .prepare<[number, number], SizedRow>(
        // SQLite prepares a statement anew for each limit that is bound to it.
        `SELECT id, length(block) FROM journal WHERE id > ? AND id <= ? ORDER BY id LIMIT ${TRIM_ROWS}`,
      )
      .raw(),
    acknowledged: database
      .prepare<[number, number], SizedRow>(
        `SELECT outbox_position, length(block) FROM journal WHERE outbox_position <= ? AND id <= ?
         ORDER BY outbox_position LIMIT ${TRIM_ROWS}`,
      )
      .raw(),
    deleteFolded: database.prepare(
      `DELETE FROM journal WHERE id > ? AND id <= ?
         AND (outbox_position IS NULL OR outbox_position <= ?)`,
    ),
    deleteAcknowledged: database.prepare(
      "DELETE FROM journal WHERE outbox_position <= ? AND id <= ?",
    ),
    saveState: database.prepare(
      `UPDATE state SET incarnation = ?, cursor_log_id = ?, cursor_epoch = ?, cursor_sequence = ?,
         outbox_through = ?, outbox_acknowledged = ?, highest_time = ?, admitted_time = ?,
         journal_through = ?, folded_through = ?, horizon = ?, quarantine_through = ?, quarantined = ?,
         gaps = ?`,
    ),
  };
}

function bytesOf(numbers: Float64Array): Uint8Array {
  return new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
}
