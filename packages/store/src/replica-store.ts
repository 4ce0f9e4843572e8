import {
  compareStamps,
  decodeBlock,
  MeridianError,
  type Cursor,
  type Entry,
  type Stamp,
  type Summary,
  type OutboxFrame,
  type QuarantinedEntry,
  type RemoteRecord,
  type ReplicaRecord,
  type TailRun,
  type TakenBack,
} from "@meridian/protocol";
import type { Done, EntryMark, ReplicaStore, SummaryPage } from "@meridian/ports";
import { randomIdentity, type Random } from "@meridian/runtime";
import type Database from "better-sqlite3";
import type { DiskBytes } from "./disk.ts";
import { EntryTable, plainBytes, reading } from "./entry-table.ts";
import { stampsOf } from "./fold.ts";
import type { JournalRow } from "./journal.ts";
import {
  scanList,
  scanSummaryPage,
  collectSummaries,
  type ListPage,
  type ListQuery,
} from "./merged-scan.ts";
import { openStore, type StoreParts } from "./open-store.ts";
import { Overlay } from "./overlay.ts";
import { QuarantineReader } from "./quarantine.ts";
import { readReplicaFacts, readReplicaState } from "./replica-journal.ts";
import { UnsavedFrames } from "./redo/unsaved-frames.ts";
import { applyRecord, type ReplicaFacts } from "./replica-state.ts";
import type { StoreOptions } from "./store-options.ts";
import type { StoreStats } from "./store-stats.ts";
import { readTail } from "./tail-table.ts";
import { readTakenBack } from "./taken-back-table.ts";
import { numbersOf, quarantineWrite } from "./replica-writes.ts";
import { BYTES_PER_TURN, otherWork, ROWS_PER_TURN } from "./turns.ts";
import type { WriterClient } from "./writer-client.ts";
import type { ReplicaCommit, ReplicaWrite } from "./writer-messages.ts";

type Parts = StoreParts<ReplicaWrite, ReplicaCommit>;

/** How many unfolded keys are looked up to tell how many of them are new. */
const SAMPLE_KEYS = 500;

interface OutboxRow {
  readonly position: number;
  readonly count: number;
  readonly highestTime: number;
  readonly block: Uint8Array;
}

/**
 * Opens the store of a regional node, creating it if there is none.
 * Throws `STORE_IN_USE`, `STORE_WRONG_KIND`, `STORE_SCHEMA_TOO_NEW`, `STORE_CORRUPT`, `STORE_FULL` or `STORE_FAILED`.
 */
export function openReplicaStore(options: StoreOptions): Promise<SqliteReplicaStore> {
  const setUp = (database: Database.Database): void => {
    database
      .prepare(
        `INSERT INTO state (id, incarnation, outbox_through, outbox_acknowledged, highest_time,
           admitted_time, journal_through, folded_through) VALUES (1, ?, 0, 0, 0, 0, 0, 0)`,
      )
      .run(randomIdentity(options.random));
  };
  return openStore("replica", options, {
    setUp,
    make: (parts: Parts) => new SqliteReplicaStore(parts),
    load: (store) => store.load(),
    begin: (store) => store.begin(options.random),
  });
}

/** A node's durable state in SQLite. */
export class SqliteReplicaStore implements ReplicaStore {
  readonly #parts: Parts;
  readonly #table: EntryTable;
  readonly #quarantine: QuarantineReader;
  readonly #overlay: Overlay;
  readonly #writer: WriterClient<ReplicaWrite, ReplicaCommit>;
  readonly #outbox: Database.Statement<[number, number], OutboxRow>;
  readonly tail: readonly TailRun[] | undefined;
  readonly isCopy: boolean;
  readonly takenBack: TakenBack;
  /** The facts after the last appended record, and after the last durable one. */
  #told: ReplicaFacts;
  #durable: ReplicaFacts;
  /** What the last commit has made so. */
  #committed: ReplicaCommit;
  /** What is durable of that in the redo file counts, too. */
  #admittedTime: number;
  readonly #unsaved: UnsavedFrames<OutboxFrame>;
  /** How far the journal was folded when the store was opened. */
  readonly #foldedThrough: number;

  /** For `openReplicaStore`. */
  constructor(parts: Parts) {
    const { database, onDamaged, onBroken } = parts;
    this.#parts = parts;
    this.#table = new EntryTable(database, onDamaged);
    this.#quarantine = new QuarantineReader(database);
    this.#overlay = new Overlay((key) => this.#table.stampOf(key));
    this.#outbox = database.prepare(
      `SELECT outbox_position AS position, count, highest_time AS highestTime, block FROM journal
       WHERE outbox_position > ? AND outbox_position <= ? ORDER BY outbox_position`,
    );
    const row = readReplicaState(database);
    this.#told = readReplicaFacts(database, row);
    this.#durable = this.#told;
    this.isCopy = row.incarnation === 0;
    this.tail = readTail(database);
    this.takenBack = readTakenBack(database);
    this.#foldedThrough = row.folded_through;
    const { admitted_time: admittedTime, quarantined, journal_through: journalThrough } = row;
    this.#admittedTime = admittedTime;
    this.#committed = { admittedTime, quarantined, journalThrough };
    this.#unsaved = new UnsavedFrames<OutboxFrame>(journalThrough);
    this.#writer = parts.connect({
      onCommitted: (facts) => {
        this.#committed = facts;
        this.#admittedTime = Math.max(this.#admittedTime, facts.admittedTime);
        this.#unsaved.save(facts.journalThrough);
      },
      onFailed: () => {
        this.#told = this.#durable;
        this.#overlay.forgetAppended();
      },
      onFolded: (through, rowsMax) => this.#overlay.drop(through, rowsMax),
      onBroken,
    });
  }

  /** For `openReplicaStore`: reads what is not folded, a turn's worth at a time. */
  async load(): Promise<void> {
    const rows = this.#parts.database.prepare<[number, number], JournalRow>(
      "SELECT id, count, replaced, block FROM journal WHERE id > ? ORDER BY id LIMIT ?",
    );
    for (let after = this.#foldedThrough; ;) {
      const read = this.#readUnfolded(rows.iterate(after, ROWS_PER_TURN));
      if (read === undefined) return;
      after = read;
      await otherWork();
    }
  }

  /** For `openReplicaStore`: a database that was restored has no identity, and takes one before anybody is told it. */
  begin(random: Random): Promise<void> {
    if (!this.isCopy) return Promise.resolve();
    const incarnation = randomIdentity(random);
    return new Promise((resolve, reject) => {
      this.append({ kind: "adopt", incarnation }, (failure) =>
        failure === undefined ? resolve() : reject(failure),
      );
    });
  }

  get incarnation(): number {
    return this.#durable.incarnation;
  }

  get cursor(): Cursor | undefined {
    return this.#told.cursor;
  }

  get others(): readonly Cursor[] {
    return this.#told.others;
  }

  /** The last outbox position given out, as far as it is durable; 0 for none. */
  get outboxThrough(): number {
    return this.#durable.outboxThrough;
  }

  get outboxAcknowledged(): number {
    return this.#durable.outboxAcknowledged;
  }

  /** The highest stamp time the store has ever held. */
  get highestTime(): number {
    return this.#told.highestTime;
  }

  /** The highest stamp time that a directory has admitted, as far as that is durable. Invariant: ≤ highestTime. */
  get admittedTime(): number {
    return this.#admittedTime;
  }

  /** The last horizon that a record has made durable; 0 for none. What is purgeable under it is removed in short steps. */
  get horizon(): number {
    return this.#durable.horizon;
  }

  get quarantined(): number {
    return this.#committed.quarantined;
  }

  get stall(): MeridianError | undefined {
    return this.#writer.stall;
  }

  get shortage(): MeridianError | undefined {
    return this.#writer.shortage;
  }

  /** The bytes that wait for the disk or for folding, all of them in memory: what to refuse writes by. */
  get backlogBytes(): number {
    return this.#overlay.unfoldedBytes + this.#writer.pendingBytes;
  }

  get(key: string): Entry | undefined {
    return this.#overlaid(key) ?? this.#table.get(key);
  }

  peek(key: string): EntryMark | undefined {
    return this.#overlaid(key) ?? this.#table.mark(key);
  }

  /** Durable outbox frames after `position`, oldest first: as many as fit in `bytesMax`, at least one if there is one. */
  outboxAfter(position: number, bytesMax: number): readonly OutboxFrame[] {
    return reading(() => {
      const frames: OutboxFrame[] = [];
      let bytes = 0;
      const take = (frame: OutboxFrame): boolean => {
        bytes += frame.block.byteLength;
        const isOver = frames.length === ROWS_PER_TURN || (frames.length > 0 && bytes > bytesMax);
        if (!isOver) frames.push({ ...frame, block: plainBytes(frame.block) });
        return !isOver;
      };
      for (const row of this.#outbox.iterate(position, this.#durable.outboxThrough)) {
        if (!take(row)) return frames;
      }
      const reached = frames.at(-1)?.position ?? position;
      for (const frame of this.#unsaved) if (frame.position > reached && !take(frame)) break;
      return frames;
    }, this.#parts.onDamaged);
  }

  /**
   * The keys after `key` (null: from the start) in key order, at most `limit`, tombstones and expired included. What is
   * purgeable under `horizon`, which is at least the store's own, is passed over.
   */
  summariesAfter(
    key: string | null,
    limit: number,
    horizon: number = this.horizon,
  ): readonly Summary[] {
    return collectSummaries(key, limit, (after) => this.summaryPage(after, limit, horizon));
  }

  summaryPage(key: string | null, limit: number, horizon: number = this.horizon): SummaryPage {
    return scanSummaryPage(this.#table, this.#overlay, { after: key, limit, horizon });
  }

  quarantinedAfter(id: number, limit: number): readonly QuarantinedEntry[] {
    return this.#quarantine.after(id, this.#durable.quarantineThrough, limit);
  }

  quarantinedEntry(id: number): QuarantinedEntry | undefined {
    const through = Math.min(id, this.#durable.quarantineThrough);
    return this.#quarantine.after(id - 1, through, 1).at(0);
  }

  /** A page of entries without their values, in key order. */
  list(query: ListQuery): ListPage {
    return scanList(this.#table, this.#overlay, query);
  }

  /**
   * Makes a record durable and then calls `done`, with the failure if it could not be made so. When one fails, so
   * does everything that was appended after it and before its `done`, and the store is as if none of it had
   * been appended. Throws `STORE_FAILED` once the store is closed.
   */
  append(record: ReplicaRecord, done: Done): void {
    const told = this.#told;
    switch (record.kind) {
      case "local":
        this.#checkPosition(record.frame.position, told.outboxThrough + 1);
        this.#appendOwn(record, {}, done);
        break;
      case "restamp":
        this.#checkPosition(
          Math.min(record.frame.position, told.outboxThrough),
          record.frame.position,
        );
        this.#appendOwn(record, record, done);
        break;
      case "remote":
        this.#appendRemote(record, done);
        break;
      case "progress": {
        const { cursor = null, others = null, outboxThrough = 0, horizon = 0 } = record;
        // Records that were appended before this horizon was readable were not compared with it. They have to be folded first.
        const onDurable = (): void => {
          if (horizon > 0) this.#writer.purge({ horizon, through: Number.MAX_SAFE_INTEGER });
        };
        this.#write({ kind: "progress", cursor, others, outboxThrough, horizon }, done, onDurable);
        break;
      }
      case "release":
      case "adopt":
        this.#write(record, done);
        break;
    }
  }

  /** Plain numbers, for `/status`. */
  /** The disk of the database; undefined if the platform does not say. */
  disk(): DiskBytes | undefined {
    return this.#parts.disk();
  }

  stats(): StoreStats {
    return {
      ...this.#parts.stats(),
      entries: this.#entries(),
      unfoldedEntries: this.#overlay.unfoldedEntries,
      unfoldedBytes: this.#overlay.unfoldedBytes,
      purging: this.#writer.purged.horizon < this.#durable.horizon,
    };
  }

  /** Finishes what was appended, then lets go of the files. */
  close(): Promise<void> {
    return this.#parts.close();
  }

  /** Stops at once: what is not durable is given up, without a call of its `done`. */
  abort(): Promise<void> {
    return this.#parts.abort();
  }

  /** The entry that the overlay has for a key; undefined if that of the table, whose value may be large and is not read here, is what counts. */
  #overlaid(key: string): Entry | undefined {
    const found = this.#overlay.find(key);
    if (found === undefined || found.settled) return found?.entry;
    const stored = this.#table.stampOf(key);
    this.#overlay.settle(key, stored);
    const wins = stored === undefined || compareStamps(found.entry.stamp, stored) > 0;
    return wins ? found.entry : undefined;
  }

  #entries(): number | null {
    const inTable = this.#table.size;
    try {
      return inTable === null ? null : inTable + this.#overlay.newKeys(SAMPLE_KEYS);
    } catch {
      // The read that found the damage has reported it.
      return null;
    }
  }

  #appendOwn(
    { frame, entries, released = [] }: Omit<Extract<ReplicaRecord, { kind: "local" }>, "kind">,
    {
      replaced,
      takenBack = [],
    }: { readonly replaced?: readonly Stamp[]; readonly takenBack?: readonly Stamp[] },
    done: Done,
  ): void {
    const { position: outboxPosition, count, highestTime } = frame;
    const id = this.#told.journalThrough + 1;
    const { block } = frame;
    const bytes = block.byteLength;
    const write = {
      kind: "entries",
      id,
      count,
      highestTime,
      block,
      claim: entries.every(({ deleted }) => deleted) ? "essential" : "set",
      outboxPosition,
      replaced: replaced === undefined ? null : numbersOf(replaced),
      takenBack: takenBack.length === 0 ? null : numbersOf(takenBack),
      cursor: null,
      run: null,
      quarantined: null,
      released,
    } as const;
    this.#write(write, done, () => {
      this.#overlay.commit({ id, bytes }, entries, replaced);
      this.takenBack.add(takenBack);
      // A restamp is never in a redo file.
      if (replaced === undefined) this.#unsaved.add(id, frame);
    });
  }

  #appendRemote(record: RemoteRecord, done: Done): void {
    const { entries, highestTime, cursor, quarantined, block, isAwaited } = record;
    const bytes = block.byteLength;
    const count = entries.length;
    const id = count === 0 ? 0 : this.#told.journalThrough + 1;
    const write = {
      kind: "entries",
      id,
      count,
      highestTime,
      block,
      claim: entries.every(({ deleted }) => deleted) ? "essential" : "copy",
      outboxPosition: 0,
      replaced: null,
      takenBack: null,
      cursor: cursor ?? null,
      run: runOf(record),
      quarantined: quarantined === undefined ? null : quarantineWrite(quarantined),
      released: [],
    } as const;
    const onDurable = (): void => {
      if (count > 0) this.#overlay.commit({ id, bytes }, entries);
      this.#admittedTime = Math.max(this.#admittedTime, highestTime);
    };
    this.#write(write, done, onDurable, isAwaited);
    this.#overlay.append(id, entries);
  }

  #write(
    write: ReplicaWrite,
    done: Done,
    onDurable: () => void = () => {},
    isAwaited: boolean = true,
  ): void {
    const told = applyRecord(this.#told, write);
    this.#writer.append(
      write,
      () => {
        this.#durable = told;
        onDurable();
      },
      done,
      isAwaited,
    );
    this.#told = told;
  }

  #checkPosition(position: number, expected: number): void {
    if (position === expected && position > 0) return;
    throw new MeridianError("INTERNAL", `Expected outbox position ${expected}, got ${position}`);
  }

  /** Takes in as many rows as a turn may. Returns the id of the last; undefined where there was none. */
  #readUnfolded(rows: Iterable<JournalRow>): number | undefined {
    let last: number | undefined;
    let [read, bytes] = [0, 0];
    for (const { id, count, replaced, block } of rows) {
      const entries = entriesOf(id, block, count);
      const stamps = replaced === null ? undefined : stampsOf(replaced);
      this.#overlay.commit({ id, bytes: block.byteLength }, entries, stamps);
      last = id;
      read += count;
      bytes += block.byteLength;
      if (read >= ROWS_PER_TURN || bytes >= BYTES_PER_TURN) break;
    }
    return last;
  }
}

/** The entries of a row of the journal. Throws `STORE_CORRUPT`. */
function entriesOf(id: number, block: Uint8Array, count: number): Entry[] {
  try {
    return decodeBlock(plainBytes(block), count);
  } catch (cause) {
    const said = `Expected ${count} entries in journal row ${id}, got other bytes`;
    throw new MeridianError("STORE_CORRUPT", said, { cause });
  }
}

function runOf({ place, entries }: RemoteRecord): TailRun | null {
  if (place === undefined || entries.length === 0) return null;
  return { place, keys: entries.map(({ key }) => key) };
}
