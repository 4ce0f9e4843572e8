/**
 * The journal of the directory is the recent part of its log: a row is a frame, its id is the frame's last sequence.
 * Rows stay until they are folded and outside the recent window; the newest always stays, because the
 * running totals in it are what the window is measured by.
 */
import {
  CURSORS_MAX,
  MeridianError,
  withCursor,
  type Cursor,
  type HorizonState,
  type LogFrame,
  type OutboxMark,
} from "@meridian/protocol";
import type { LogDoubt } from "@meridian/ports";
import type Database from "better-sqlite3";
import { doubtWriter } from "./doubt-table.ts";
import type { Journal, JournalRow } from "./journal.ts";
import { MemberWriter } from "./member-table.ts";
import type { StoreTuning } from "./store-options.ts";
import type { Purged } from "./sweep.ts";
import type { StreamPlace } from "./stream-place.ts";
import { RUN_BYTES, RUN_ROWS } from "./trim-run.ts";
import { UnfoldedRows } from "./unfolded-rows.ts";
import type { DirectoryCommit, DirectoryWrite, Epochs } from "./writer-messages.ts";

/** How many rows are read at once to see which of them are no longer needed. */
const TRIM_ROWS = 256;

/** For how many epochs the start is remembered. */
const EPOCHS_MAX = 1_000;

interface State {
  through: number;
  foldedThrough: number;
  rowsThrough: number;
  entriesThrough: number;
  bytesThrough: number;
  /** The running total of rows before the oldest row that there is. */
  rowsDeleted: number;
  canTrim: boolean;
  gaps: number;
  purgedThrough: number;
  stateDirty: boolean;
}

interface Totals {
  readonly id: number;
  readonly rows: number;
  readonly entries: number;
  readonly bytes: number;
}

/** The state row of a log's database. */
export interface LogStateRow {
  readonly logId: number;
  readonly foldedThrough: number;
  readonly horizon: number;
  readonly frozenUntilMs: number;
  readonly gaps: number;
  readonly purgedThrough: number;
}

/** Reads the state row. */
export function readLogState(database: Database.Database): LogStateRow {
  const row = database
    .prepare<[], LogStateRow>(
      `SELECT log_id AS logId, folded_through AS foldedThrough, horizon,
         frozen_until_ms AS frozenUntilMs, gaps, purged_through AS purgedThrough
       FROM state WHERE id = 1`,
    )
    .get();
  if (row === undefined) {
    throw new MeridianError("STORE_CORRUPT", "Expected a state row in the database, got none");
  }
  return row;
}

/** The last sequence that the log has. */
export function readLastSequence(database: Database.Database): number {
  const last = database.prepare<[], number | null>("SELECT max(id) FROM journal").pluck().get();
  return last ?? readLogState(database).foldedThrough;
}

/** Reads the state of the horizon, of which the state row has a part. */
export function readHorizonState(
  database: Database.Database,
  { horizon, frozenUntilMs }: LogStateRow,
): HorizonState {
  const marks = database
    .prepare<[], [number, number]>("SELECT at_ms, sequence FROM horizon_marks ORDER BY id")
    .raw()
    .all() as [number, number][];
  return { horizon, frozenUntilMs, marks };
}

/** Creates the journal of the directory on the writer thread. */
export function directoryJournal(
  database: Database.Database,
  tuning: StoreTuning,
): Journal<DirectoryWrite, DirectoryCommit> {
  return new DirectoryJournal(database, tuning);
}

class DirectoryJournal implements Journal<DirectoryWrite, DirectoryCommit> {
  readonly horizon: number = 0;
  readonly #tuning: StoreTuning;
  readonly #sql: Statements;
  readonly #members: MemberWriter;
  readonly #doubt: (doubt: LogDoubt | null) => void;
  readonly #marks = new Map<number, OutboxMark>();
  #followed: Cursor[] = [];
  #compared: Cursor[] = [];
  #place: StreamPlace | undefined;
  readonly #unfolded: UnfoldedRows;
  /** The oldest rows that there are, as far as they were read, the oldest of all last. */
  #oldest: Totals[] = [];
  #state: State;
  #kept: State;
  #pressed = false;

  constructor(database: Database.Database, tuning: StoreTuning) {
    this.#tuning = tuning;
    this.#sql = prepare(database);
    this.#members = new MemberWriter(database);
    this.#doubt = doubtWriter(database);
    const { foldedThrough, gaps, purgedThrough } = readLogState(database);
    const last = this.#sql.last.get();
    const first = this.#sql.first.get();
    this.#state = {
      through: last?.id ?? foldedThrough,
      foldedThrough,
      rowsThrough: last?.rows ?? 0,
      entriesThrough: last?.entries ?? 0,
      bytesThrough: last?.bytes ?? 0,
      rowsDeleted: first === undefined ? 0 : first.rows - 1,
      canTrim: true,
      gaps,
      purgedThrough,
      stateDirty: false,
    };
    this.#kept = { ...this.#state };
    this.#unfolded = new UnfoldedRows(this.#state.through);
  }

  get through(): number {
    return this.#state.through;
  }

  get facts(): DirectoryCommit {
    return { journalThrough: this.#state.through };
  }

  get foldedThrough(): number {
    return this.#state.foldedThrough;
  }

  get rows(): number {
    return this.#state.rowsThrough - this.#state.rowsDeleted;
  }

  get canTrim(): boolean {
    return this.#state.canTrim;
  }

  get pressed(): boolean {
    return this.#pressed;
  }

  set pressed(pressed: boolean) {
    if (pressed && !this.#pressed) {
      this.#state.canTrim = true;
      this.#kept.canTrim = true;
    }
    this.#pressed = pressed;
  }

  write(write: DirectoryWrite): void {
    if (write.place !== undefined) this.#place = write.place;
    switch (write.kind) {
      case "leave":
        this.#sql.leave.run();
        this.#addEpochs([[write.epoch, this.#state.through]]);
        break;
      case "epoch":
        this.#addEpochs([[write.epoch, this.#state.through]]);
        break;
      case "epochs":
        this.#sql.deleteEpochs.run();
        this.#addEpochs(write.epochs);
        break;
      case "frame":
        this.#writeFrame(write);
        break;
      case "admit":
        this.#sql.admit.run(write.time);
        break;
      case "horizon":
        this.#writeHorizon(write.state);
        break;
      case "doubt":
        this.#doubt(write.doubt);
        break;
      case "members":
        this.#members.write(write.members, write.dropped);
        break;
    }
  }

  #addEpochs(epochs: Epochs): void {
    for (const [epoch, after] of epochs) this.#sql.insertEpoch.run(epoch, after);
    // A node whose epoch is older than the remembered ones reconciles.
    this.#sql.forgetEpochs.run(EPOCHS_MAX);
  }

  #writeHorizon({ horizon, frozenUntilMs, marks }: HorizonState): void {
    this.#sql.saveHorizon.run(horizon, frozenUntilMs);
    this.#sql.deleteMarks.run();
    for (const [atMs, sequence] of marks) this.#sql.insertMark.run(atMs, sequence);
  }

  #writeFrame(write: LogFrame): void {
    const state = this.#state;
    const { incarnation, position, through, highestTime, incomplete = false } = write;
    if (incarnation !== 0 && position !== 0) {
      const sequence = incomplete ? 0 : through;
      this.#marks.set(incarnation, { position, sequence, highestTime });
    }
    if (write.followed !== undefined) this.#followed = withCursor(this.#followed, write.followed);
    if (write.compared !== undefined) this.#compared = withCursor(this.#compared, write.compared);
    if (through === state.through) return;
    state.through = through;
    state.rowsThrough += 1;
    state.entriesThrough += write.count;
    state.bytesThrough += write.block.byteLength;
    this.#sql.insert.run(
      through,
      write.after,
      write.count,
      highestTime,
      incarnation,
      incomplete ? 0 : position,
      state.rowsThrough,
      state.entriesThrough,
      state.bytesThrough,
      write.block,
    );
    this.#unfolded.add({ id: through, count: write.count, replaced: null, block: write.block });
  }

  flush(): void {
    for (const [incarnation, { position, sequence, highestTime }] of this.#marks) {
      this.#sql.mark.run(incarnation, position, sequence, highestTime);
    }
    this.#marks.clear();
    for (const { logId, epoch, sequence } of this.#followed) {
      this.#sql.follow.run(logId, epoch, sequence);
    }
    for (const { logId, epoch, sequence } of this.#compared) {
      this.#sql.compare.run(logId, epoch, sequence);
    }
    if (this.#followed.length > 0) {
      this.#sql.forget.run(CURSORS_MAX);
      this.#sql.forgetCompared.run();
    }
    this.#followed = [];
    this.#compared = [];
    if (this.#place !== undefined) this.#sql.place.run(this.#place.sequence, this.#place.id);
    this.#place = undefined;
    const state = this.#state;
    if (!state.stateDirty) return;
    state.stateDirty = false;
    this.#sql.saveState.run(state.foldedThrough, state.gaps, state.purgedThrough);
  }

  rowsAfter(id: number): Iterable<JournalRow> {
    return this.#unfolded.rowsAfter(id) ?? this.#sql.rowsAfter.iterate(id);
  }

  markFolded(through: number): void {
    this.#unfolded.folded(through);
    this.#state.foldedThrough = through;
    this.#state.stateDirty = true;
    this.#state.canTrim = true;
  }

  markPurged({ gaps, through }: Purged): void {
    const state = this.#state;
    state.gaps += gaps;
    state.purgedThrough = Math.max(state.purgedThrough, through);
    state.stateDirty = true;
  }

  trim(isOver: () => boolean): void {
    const state = this.#state;
    do {
      const last = this.#takeRun();
      if (last === undefined) {
        state.canTrim = false;
        return;
      }
      this.#sql.deleteThrough.run(last.id);
      state.rowsDeleted = last.rows;
    } while (!isOver());
  }

  /** Takes out the oldest rows, as many as are unneeded and no more than a run. Returns the last of them; undefined if there is none. */
  #takeRun(): Totals | undefined {
    if (this.#oldest.length === 0) this.#oldest = this.#sql.oldest.all().toReversed();
    const first = this.#oldest.at(-1);
    let last: Totals | undefined;
    for (let count = 0; first !== undefined && count < RUN_ROWS; count += 1) {
      const row = this.#oldest.at(-1);
      if (row === undefined || row.bytes - first.bytes > RUN_BYTES || this.#isNeeded(row)) break;
      last = this.#oldest.pop();
    }
    return last;
  }

  #isNeeded(row: Totals): boolean {
    const { bytesThrough, entriesThrough, foldedThrough, through } = this.#state;
    const { recentBytesMax, recentEntriesMax } = this.#tuning;
    const isRecent =
      !this.#pressed &&
      bytesThrough - row.bytes < recentBytesMax &&
      entriesThrough - row.entries < recentEntriesMax;
    return isRecent || row.id > foldedThrough || row.id === through;
  }

  committed(): void {
    this.#kept = { ...this.#state };
  }

  rolledBack(): void {
    this.#state = { ...this.#kept };
    this.#unfolded.forget(this.#kept.through);
    this.#oldest = [];
    this.#marks.clear();
    this.#followed = [];
    this.#compared = [];
    this.#place = undefined;
  }
}

interface Statements {
  readonly insertEpoch: Database.Statement<[number, number]>;
  readonly forgetEpochs: Database.Statement<[number]>;
  readonly insert: Database.Statement<(number | Uint8Array)[]>;
  readonly mark: Database.Statement<[number, number, number, number]>;
  readonly follow: Database.Statement<[number, number, number]>;
  readonly forget: Database.Statement<[number]>;
  readonly compare: Database.Statement<[number, number, number]>;
  readonly forgetCompared: Database.Statement<[]>;
  readonly deleteThrough: Database.Statement<[number]>;
  readonly last: Database.Statement<[], Totals>;
  readonly oldest: Database.Statement<[], Totals>;
  readonly first: Database.Statement<[], Totals>;
  readonly rowsAfter: Database.Statement<[number], JournalRow>;
  readonly saveState: Database.Statement<[number, number, number]>;
  readonly admit: Database.Statement<[number]>;
  readonly deleteEpochs: Database.Statement<[]>;
  readonly leave: Database.Statement<[]>;
  readonly place: Database.Statement<[number, string]>;
  readonly saveHorizon: Database.Statement<[number, number]>;
  readonly deleteMarks: Database.Statement<[]>;
  readonly insertMark: Database.Statement<[number, number]>;
}

function prepare(database: Database.Database): Statements {
  const totals = `SELECT id, rows_through AS rows, entries_through AS entries, bytes_through AS bytes
    FROM journal ORDER BY id`;
  return {
    insertEpoch: database.prepare("INSERT INTO epochs (epoch, after) VALUES (?, ?)"),
    deleteEpochs: database.prepare("DELETE FROM epochs"),
    forgetEpochs: database.prepare(
      "DELETE FROM epochs WHERE id <= (SELECT max(id) FROM epochs) - ?",
    ),
    insert: database.prepare(
      `INSERT INTO journal (id, after, count, highest_time, incarnation, position, rows_through,
         entries_through, bytes_through, block) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    mark: database.prepare(
      `INSERT INTO marks (incarnation, position, sequence, highest_time) VALUES (?, ?, ?, ?)
       ON CONFLICT (incarnation) DO UPDATE SET position = excluded.position,
         sequence = excluded.sequence, highest_time = excluded.highest_time
       WHERE excluded.position > marks.position`,
    ),
    // Written anew each time, so that the order of the ids is that of the last news.
    follow: database.prepare(
      "INSERT OR REPLACE INTO followed (log_id, epoch, sequence) VALUES (?, ?, ?)",
    ),
    forget: database.prepare(
      "DELETE FROM followed WHERE id NOT IN (SELECT id FROM followed ORDER BY id DESC LIMIT ?)",
    ),
    compare: database.prepare(
      "INSERT OR REPLACE INTO compared (log_id, epoch, sequence) VALUES (?, ?, ?)",
    ),
    forgetCompared: database.prepare(
      "DELETE FROM compared WHERE (log_id, epoch) NOT IN (SELECT log_id, epoch FROM followed)",
    ),
    deleteThrough: database.prepare("DELETE FROM journal WHERE id <= ?"),
    last: database.prepare(`${totals} DESC LIMIT 1`),
    // SQLite prepares a statement anew for each limit that is bound to it.
    oldest: database.prepare(`${totals} LIMIT ${TRIM_ROWS}`),
    first: database.prepare(`${totals} LIMIT 1`),
    rowsAfter: database.prepare(
      "SELECT id, count, NULL AS replaced, block FROM journal WHERE id > ? ORDER BY id",
    ),
    saveState: database.prepare(
      "UPDATE state SET folded_through = ?, gaps = ?, purged_through = ?",
    ),
    admit: database.prepare(
      `INSERT INTO admitted (id, time) VALUES (1, ?)
       ON CONFLICT (id) DO UPDATE SET time = max(time, excluded.time)`,
    ),
    place: database.prepare(
      `INSERT INTO stream_place (id, sequence, message) VALUES (1, ?, ?)
       ON CONFLICT (id) DO UPDATE SET sequence = excluded.sequence, message = excluded.message`,
    ),
    leave: database.prepare("DELETE FROM stream_place"),
    saveHorizon: database.prepare("UPDATE state SET horizon = ?, frozen_until_ms = ?"),
    deleteMarks: database.prepare("DELETE FROM horizon_marks"),
    insertMark: database.prepare("INSERT INTO horizon_marks (at_ms, sequence) VALUES (?, ?)"),
  };
}

/** The highest stamp time that was durably admitted; 0 for none. */
export function readAdmitted(database: Database.Database): number {
  return database.prepare<[], number>("SELECT time FROM admitted").pluck().get() ?? 0;
}

/** What the log has of each outbox, by incarnation. */
export function readMarks(database: Database.Database): Map<number, OutboxMark> {
  const marks = database.prepare<[], OutboxMark & { readonly incarnation: number }>(
    "SELECT incarnation, position, sequence, highest_time AS highestTime FROM marks",
  );
  return new Map([...marks.iterate()].map(({ incarnation, ...mark }) => [incarnation, mark]));
}

/** Each epoch that is remembered, with the sequence before its first, oldest first. */
export function readEpochs(
  database: Database.Database,
): (readonly [epoch: number, after: number])[] {
  return database
    .prepare<[], [number, number]>("SELECT epoch, after FROM epochs ORDER BY id")
    .raw()
    .all() as [number, number][];
}
