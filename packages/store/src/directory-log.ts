import {
  MeridianError,
  cursorsIn,
  withCursor,
  type Cursor,
  type Entry,
  type HorizonState,
  type Summary,
  type LogFrame,
  type OutboxMark,
  type RememberedMember,
} from "@meridian/protocol";
import type { DirectoryLog, Done, EntryMark, LogDoubt, SummaryPage } from "@meridian/ports";
import { randomIdentity } from "@meridian/runtime";
import type Database from "better-sqlite3";
import type { DiskBytes } from "./disk.ts";
import {
  readAdmitted,
  readEpochs,
  readHorizonState,
  readLastSequence,
  readLogState,
  readMarks,
} from "./directory-journal.ts";
import { readCursors } from "./cursor-table.ts";
import { doubtRestored, readDoubt } from "./doubt-table.ts";
import { readPlace, type StreamPlace } from "./stream-place.ts";
import { countingSummaries, EntryTable, reading, type EntryFacts } from "./entry-table.ts";
import { frameWrite } from "./frame-write.ts";
import { frameOfRow, LogReader } from "./log-reader.ts";
import { collectSummaries } from "./merged-scan.ts";
import { readMembers } from "./member-table.ts";
import { openStore, type StoreParts } from "./open-store.ts";
import { UnsavedFrames } from "./redo/unsaved-frames.ts";
import type { StoreOptions } from "./store-options.ts";
import type { StoreStats } from "./store-stats.ts";
import { otherWork, ROWS_PER_TURN } from "./turns.ts";
import { UnfoldedFrames, type UnfoldedFrame } from "./unfolded-frames.ts";
import type { WriterClient } from "./writer-client.ts";
import {
  isSameScope,
  type DirectoryCommit,
  type DirectoryWrite,
  type Epochs,
  type PurgeScope,
} from "./writer-messages.ts";

type Parts = StoreParts<DirectoryWrite, DirectoryCommit>;

interface Settling {
  readonly through: number;
  readonly done: Done;
}

interface KeptFrame extends UnfoldedFrame {
  readonly highestTime: number;
}

/** How a directory's log is opened. */
export interface DirectoryLogOptions extends StoreOptions {
  /** The id of the log, if it is created now: that of the stream that it is made from. Default: drawn. */
  readonly logId?: number;
}

/**
 * Opens the directory's log, creating it if there is none, and starts a new epoch of it. Where the disk takes nothing, the log is
 * open all the same, says why in `stall`, and makes its epoch durable before anything else once it can.
 * Throws `STORE_IN_USE`, `STORE_WRONG_KIND`, `STORE_SCHEMA_TOO_NEW`, `STORE_CORRUPT`, `STORE_FULL`, `STORE_READ_ONLY` or
 * `STORE_FAILED` where it cannot even be read.
 */
export function openDirectoryLog(options: DirectoryLogOptions): Promise<SqliteDirectoryLog> {
  const { random, logId } = options;
  const preparation = {
    setUp: (database: Database.Database): void => {
      database
        .prepare("INSERT INTO state (id, log_id, folded_through) VALUES (1, ?, 0)")
        .run(logId ?? randomIdentity(random));
    },
    make: (parts: Parts): SqliteDirectoryLog =>
      new SqliteDirectoryLog(parts, randomIdentity(random)),
    load: (log: SqliteDirectoryLog): Promise<void> => log.load(),
    begin: async (log: SqliteDirectoryLog, wasRestored: boolean) => {
      await log.begin();
      return wasRestored ? doubtRestored(log, options.clock.nowMs()) : undefined;
    },
  };
  return openStore("directory", options, preparation);
}

/** The directory's durable state in SQLite. */
export class SqliteDirectoryLog implements DirectoryLog {
  readonly logId: number;
  /** Drawn each time the log is opened. */
  readonly epoch: number;
  readonly #parts: Parts;
  readonly #table: EntryTable;
  readonly #reader: LogReader;
  readonly #writer: WriterClient<DirectoryWrite, DirectoryCommit>;
  readonly #purgedThrough: Database.Statement<[], number>;
  #horizonState: HorizonState;
  #permitted: PurgeScope = { horizon: 0, through: 0 };
  readonly #marks: Map<number, OutboxMark>;
  readonly #members: Map<string, RememberedMember>;
  #followed: readonly Cursor[];
  #compared: readonly Cursor[];
  #epochs: Epochs;
  #place: StreamPlace | undefined;
  #doubt: LogDoubt | null;
  readonly #unsaved: UnsavedFrames<LogFrame>;
  #appendedThrough: number;
  #committedThrough: number;
  #foldedThrough: number;
  #highestTime = 0;
  #admittedTime: number;
  readonly #unfolded = new UnfoldedFrames();
  #settling: Settling[] = [];
  #onBegun: ((failure?: MeridianError) => void) | undefined;

  /** For `openDirectoryLog`. */
  constructor(parts: Parts, epoch: number) {
    const { database, onDamaged, onBroken } = parts;
    this.epoch = epoch;
    this.#parts = parts;
    this.#table = new EntryTable(database, onDamaged);
    const state = readLogState(database);
    this.logId = state.logId;
    this.#horizonState = readHorizonState(database, state);
    this.#purgedThrough = database.prepare<[], number>("SELECT purged_through FROM state").pluck();
    this.#foldedThrough = state.foldedThrough;
    this.#committedThrough = readLastSequence(database);
    this.#epochs = [...readEpochs(database), [epoch, this.#committedThrough]];
    this.#appendedThrough = this.#committedThrough;
    this.#unsaved = new UnsavedFrames<LogFrame>(this.#committedThrough);
    this.#reader = new LogReader(database, this.#unsaved, onDamaged);
    this.#followed = readCursors(database, "followed");
    this.#compared = readCursors(database, "compared");
    this.#place = readPlace(database);
    this.#doubt = readDoubt(database);
    this.#admittedTime = readAdmitted(database);
    this.#members = new Map(readMembers(database).map((member) => [member.id, member]));
    this.#marks = readMarks(database);
    this.#writer = parts.connect({
      onCommitted: ({ journalThrough }) => this.#unsaved.save(journalThrough),
      onFailed: () => {
        this.#appendedThrough = this.#committedThrough;
      },
      onFolded: (through) => this.#folded(through),
      onStalled: () => this.#onBegun?.(),
      onBroken: (failure) => {
        this.#failSettling("The writer died before the log was settled");
        onBroken(failure);
      },
    });
  }

  #follow(followed: Cursor, compared: Cursor | undefined): void {
    this.#followed = withCursor(this.#followed, followed);
    const all = compared === undefined ? this.#compared : withCursor(this.#compared, compared);
    this.#compared = cursorsIn(all, this.#followed);
  }

  /** For `openDirectoryLog`: reads what the journal is of, a turn's worth at a time. */
  async load(): Promise<void> {
    const rows = this.#parts.database.prepare<[number, number], KeptFrame>(
      `SELECT id AS through, count, length(block) AS bytes, highest_time AS highestTime
       FROM journal WHERE id > ? ORDER BY id LIMIT ?`,
    );
    for (let after = 0; ;) {
      const frames = rows.all(after, ROWS_PER_TURN);
      for (const { highestTime, ...frame } of frames) {
        this.#highestTime = Math.max(this.#highestTime, highestTime);
        if (frame.through > this.#foldedThrough) this.#unfolded.add(frame);
        after = frame.through;
      }
      if (frames.length < ROWS_PER_TURN) break;
      await otherWork();
    }
    this.#admittedTime = Math.max(this.#admittedTime, this.#highestTime);
  }

  get highestTime(): number {
    return this.#highestTime;
  }

  get admittedTime(): number {
    return this.#admittedTime;
  }

  /**
   * For `openDirectoryLog`: resolves once the epoch is durable, or waits for the disk as everything after it will. A log that is made from a stream
   * has the epochs of the stream: this one is among them once the stream has its begin, or once the log has left the stream.
   */
  async begin(): Promise<void> {
    if (this.#place !== undefined) return;
    await new Promise<void>((resolve, reject) => {
      this.#onBegun = (failure) => (failure === undefined ? resolve() : reject(failure));
      this.#writer.append({ kind: "epoch", epoch: this.epoch }, () => {}, this.#onBegun);
    });
  }

  get epochs(): Epochs {
    return this.#epochs;
  }

  get committedThrough(): number {
    return this.#committedThrough;
  }

  /** What this log durably has of other directories' logs, newest last. */
  get followed(): readonly Cursor[] {
    return this.#followed;
  }

  get compared(): readonly Cursor[] {
    return this.#compared;
  }

  /** The message that was last applied durably, of a log that is made from a stream. */
  get place(): StreamPlace | undefined {
    return this.#place;
  }

  /** Makes the epochs of the stream durable, in order with `append`. They replace those that are known. */
  saveEpochs(epochs: Epochs, done: Done, place: StreamPlace): void {
    this.#writer.append(
      { kind: "epochs", epochs, place },
      this.#reaching(place, () => {
        this.#epochs = epochs;
      }),
      done,
    );
  }

  /** Makes durable, in order with `append`, that the log is not made from a stream any more, and goes on alone in its epoch. */
  leaveStream(done: Done): void {
    this.#writer.append(
      { kind: "leave", epoch: this.epoch },
      () => (this.#place = undefined),
      done,
    );
  }

  get members(): readonly RememberedMember[] {
    return [...this.#members.values()];
  }

  get horizonState(): HorizonState {
    return this.#horizonState;
  }

  get doubt(): LogDoubt | null {
    return this.#doubt;
  }

  /**
   * The highest sequence that any purged entry had; 0 for none. Asked of the database each time, so that it covers
   * whatever a `read` before it has left out.
   */
  get purgedThrough(): number {
    return reading(() => this.#purgedThrough.get() ?? 0);
  }

  /** The bytes that wait for the disk, all of them in memory: what to refuse frames by. */
  get backlogBytes(): number {
    return this.#writer.pendingBytes;
  }

  /** Why nothing becomes durable now; undefined while all is well. What is appended waits, and is tried again. */
  get stall(): MeridianError | undefined {
    return this.#writer.stall;
  }

  outboxMark(incarnation: number): OutboxMark | undefined {
    return this.#marks.get(incarnation);
  }

  /**
   * Makes a frame durable, and what it says is followed and compared, and then calls `done`, with the failure if it cannot be made so. On a full
   * disk it waits: see `stall`. When one fails, so does everything that was appended after it and before its `done`; the next
   * frame starts again at `committedThrough`. Throws `INTERNAL` for a frame that does not start where the one before ended, and
   * `STORE_FAILED` once the log is closed.
   */
  append(frame: LogFrame, done: Done, place?: StreamPlace): void {
    const { after, through, count, highestTime, incarnation, position } = frame;
    const { incomplete = false, followed, compared, isAwaited } = frame;
    if (after !== this.#appendedThrough || after + count > through) {
      const expected = `a frame of ${count} entries after ${this.#appendedThrough}`;
      throw new MeridianError(
        "INTERNAL",
        `Expected ${expected}, got one from ${after} through ${through}`,
      );
    }
    const bytes = frame.block.byteLength;
    this.#writer.append(
      frameWrite(frame, place),
      this.#reaching(place, () => {
        if (followed !== undefined) this.#follow(followed, compared);
        this.#committedThrough = through;
        if (through > this.#foldedThrough && through > after) {
          this.#unfolded.add({ through, count, bytes });
        }
        if (through > after) this.#unsaved.add(through, frameOfRow(frame));
        const known = this.#marks.get(incarnation)?.position ?? 0;
        if (incarnation !== 0 && position > known) {
          const sequence = incomplete ? 0 : through;
          this.#marks.set(incarnation, { position, sequence, highestTime });
        }
      }),
      done,
      isAwaited,
    );
    this.#appendedThrough = through;
  }

  read(after: number, bytesMax: number): readonly LogFrame[] {
    return this.#reader.read(after, bytesMax, this.#committedThrough, this.#foldedThrough);
  }

  settle(done: Done): void {
    this.#settling.push({ through: this.#committedThrough, done });
    if (this.#committedThrough <= this.#foldedThrough) queueMicrotask(() => this.#endSettling());
    else this.#writer.settle();
    if (this.#writer.isBroken) queueMicrotask(() => this.#failSettling("The writer has died"));
  }

  get mergedThrough(): number {
    return this.#foldedThrough;
  }

  /** Calls back at once: the lock of the database keeps every other process out. */
  confirm(done: Done): void {
    done();
  }

  /** Makes durable up to which stamp time frames are admitted, in order with `append`, and then calls `done` as that does. */
  admit(time: number, done: Done, place?: StreamPlace): void {
    this.#writer.append(
      { kind: "admit", time, ...(place && { place }) },
      this.#reaching(place, () => {
        this.#admittedTime = Math.max(this.#admittedTime, time);
      }),
      done,
    );
  }

  /** Makes the state of the horizon durable, in order with `append`, and then calls `done` as that does. */
  saveHorizon(state: HorizonState, done: Done, place?: StreamPlace): void {
    this.#writer.append(
      { kind: "horizon", state, ...(place && { place }) },
      this.#reaching(place, () => {
        this.#horizonState = state;
      }),
      done,
    );
  }

  /** Makes a doubt durable, or with null that it is over, in order with `append`, and then calls `done` as that does. */
  saveDoubt(doubt: LogDoubt | null, done: Done, place?: StreamPlace): void {
    this.#writer.append(
      { kind: "doubt", doubt, ...(place && { place }) },
      this.#reaching(place, () => {
        this.#doubt = doubt;
      }),
      done,
    );
  }

  /** Makes what is known of these nodes durable, and removes those that are `dropped`; then calls `done` as `append` does. */
  remember(
    members: readonly RememberedMember[],
    dropped: readonly string[],
    done: Done,
    place?: StreamPlace,
  ): void {
    this.#writer.append(
      { kind: "members", members, dropped, ...(place && { place }) },
      this.#reaching(place, () => {
        for (const member of members) this.#members.set(member.id, member);
        for (const id of dropped) this.#members.delete(id);
      }),
      done,
    );
  }

  /**
   * Lets entries be removed in short steps, once everything that was appended so far is folded: those that are purgeable
   * under `horizon` and whose sequence is at most `through`. The next call replaces this one.
   */
  purge(horizon: number, through: number): void {
    this.#permitted = { horizon, through };
    this.#writer.purge(this.#permitted);
  }

  /**
   * The keys after `key` (null: from the start) in key order, at most `limit`, as far as they are folded. What is
   * purgeable under `horizon`, which is at least the log's own, is passed over.
   */
  summariesAfter(
    key: string | null,
    limit: number,
    horizon: number = this.#horizonState.horizon,
  ): readonly Summary[] {
    return collectSummaries(key, limit, (after) => this.summaryPage(after, limit, horizon));
  }

  summaryPage(
    key: string | null,
    limit: number,
    horizon: number = this.#horizonState.horizon,
  ): SummaryPage {
    const rows = this.#table.summariesAfter(key, limit, horizon);
    return {
      summaries: countingSummaries(rows),
      next: rows.length < limit ? null : (rows.at(-1)?.key ?? null),
    };
  }

  /** Entries without their values, in key order after `key` (null: from the start), as far as they are folded. */
  factsAfter(key: string | null, limit: number): readonly EntryFacts[] {
    return this.#table.factsFrom(key ?? "", key === null, limit);
  }

  /**
   * The newest entry of `key` as far as it is folded, tombstones and expired entries included; a purgeable one may be
   * gone or not.
   */
  get(key: string): Entry | undefined {
    return this.#table.get(key);
  }

  peek(key: string): EntryMark | undefined {
    return this.#table.mark(key);
  }

  /** The disk of the database; undefined if the platform does not say. */
  disk(): DiskBytes | undefined {
    return this.#parts.disk();
  }

  /** Plain numbers, for `/status`. */
  stats(): StoreStats & {
    /** Everything that was purgeable under `horizon`, and ordered `through` there, has been removed. */
    readonly swept: PurgeScope;
  } {
    const inTable = this.#table.size;
    return {
      ...this.#parts.stats(),
      entries: inTable === null ? null : inTable + this.#unfolded.entries,
      unfoldedEntries: this.#unfolded.entries,
      unfoldedBytes: this.#unfolded.bytes,
      purging: !isSameScope(this.#permitted, this.#writer.purged),
      swept: this.#writer.purged,
    };
  }

  /** Finishes what was appended, then lets go of the files. A `settle` that is not done fails. */
  close(): Promise<void> {
    return this.#parts.close(() => {
      this.#failSettling("The log was closed before it was settled");
    });
  }

  /** Stops at once: what is not durable is given up, without a call of its `done`. */
  abort(): Promise<void> {
    this.#settling = [];
    return this.#parts.abort();
  }

  /** What to do when a record is durable that came with `place`. */
  #reaching(place: StreamPlace | undefined, isDurable: () => void = () => {}): () => void {
    return () => {
      isDurable();
      this.#place = place ?? this.#place;
    };
  }

  #failSettling(said: string): void {
    const failure = new MeridianError("STORE_FAILED", said);
    for (const { done } of this.#settling.splice(0)) done(failure);
  }

  #folded(through: number): number {
    this.#foldedThrough = through;
    this.#unfolded.fold(through);
    this.#endSettling();
    return 0;
  }

  #endSettling(): void {
    const isFirstSettled = (): boolean =>
      (this.#settling[0]?.through ?? Infinity) <= this.#foldedThrough;
    while (isFirstSettled()) this.#settling.shift()?.done();
  }
}
