/**
 * Reading the log: from the frames that the journal still has, else compacted from the table of entries.
 *
 * Why a compacted read misses nothing while folding goes on: the newest entry of every key is in the table or in the
 * journal. An entry that a later one has replaced has gone from its place, but the later one has a higher
 * sequence, so a reader that has not passed the old place has not passed the new one either.
 */
import {
  decodeBlock,
  encodeBlock,
  entryBytes,
  highestTimeOf,
  NO_BYTES,
  type Entry,
  type LogFrame,
} from "@meridian/protocol";
import type Database from "better-sqlite3";
import { plainBytes, reading } from "./entry-table.ts";
import type { UnsavedFrames } from "./redo/unsaved-frames.ts";
import type { OnDamaged } from "./store-error.ts";
import { ROWS_PER_TURN } from "./turns.ts";

/** A compacted frame ends with the entry that reaches this many bytes. */
const COMPACTED_BYTES = 256 * 1024;

/** How many entries are read at a time to be compacted: who gets them takes them in as one piece. */
const COMPACTED_ROWS = 256;

type Row = [
  key: string,
  time: number,
  origin: number,
  expiresAtMs: number,
  deleted: number,
  contentType: string,
  attributes: Uint8Array | null,
  sequence: number,
  valueBytes: number,
];

/** Frames that follow on each other. */
class FrameRun {
  readonly frames: LogFrame[] = [];
  readonly #bytesMax: number;
  #bytes = 0;
  /** Where they come to. */
  reached: number;
  #isFull = false;

  constructor(after: number, bytesMax: number) {
    this.reached = after;
    this.#bytesMax = bytesMax;
  }

  /** Takes the next frame, or what lies behind `reached` of it. Returns whether there was room, which there is for the first. */
  take(frame: LogFrame): boolean {
    const { frames, reached } = this;
    this.#bytes += frame.block.byteLength;
    const isMore = frames.length > 0;
    this.#isFull ||= frames.length === ROWS_PER_TURN || (isMore && this.#bytes > this.#bytesMax);
    if (this.#isFull) return false;
    const taken = { ...frame, block: plainBytes(frame.block) };
    frames.push(frame.after < reached ? tailOf(taken, reached) : taken);
    this.reached = frame.through;
    return true;
  }
}

/** Reads the log on the main thread's connection. */
export class LogReader {
  readonly #frames: Database.Statement<[number, number], LogFrame>;
  readonly #rows: Database.Statement<[number, number, number], Row>;
  readonly #value: Database.Statement<[number, number], Uint8Array>;
  readonly #values: Database.Statement<[number, number], Uint8Array>;
  readonly #compacted: (after: number, bytesMax: number, foldedThrough: number) => LogFrame[];
  readonly #unsaved: UnsavedFrames<LogFrame>;
  readonly #onDamaged: OnDamaged | undefined;
  /** How many rows are read next: of large entries, no more than twice as many as have fitted. */
  #rowsMax = COMPACTED_ROWS;

  /** `unsaved` has the frames that the database does not have yet. */
  constructor(
    database: Database.Database,
    unsaved: UnsavedFrames<LogFrame>,
    onDamaged?: OnDamaged,
  ) {
    this.#unsaved = unsaved;
    this.#onDamaged = onDamaged;
    this.#frames = database.prepare(
      `SELECT after, id AS through, count, highest_time AS highestTime, incarnation, position, block
       FROM journal WHERE id > ? AND id <= ? ORDER BY id`,
    );
    this.#rows = database
      .prepare<[number, number, number], Row>(
        `SELECT key, time, origin, expires_at, deleted, content_type, attributes, sequence,
           length(value)
         FROM entries WHERE sequence > ? AND sequence <= ? ORDER BY sequence LIMIT ?`,
      )
      .raw() as Database.Statement<[number, number, number], Row>;
    const values = "SELECT value FROM entries WHERE sequence > ? AND sequence <= ?";
    this.#value = database.prepare<[number, number], Uint8Array>(values).pluck();
    // SQLite takes the bytes of a blob for text, and text for the bytes of a blob, as they are.
    this.#values = database
      .prepare<[number, number], Uint8Array>(
        `SELECT CAST(group_concat(value, '') AS BLOB) FROM (${values} ORDER BY sequence)`,
      )
      .pluck();
    // Rows and values are of one state of the table only if one transaction reads them.
    this.#compacted = database.transaction((after: number, bytesMax: number, through: number) =>
      this.#readCompacted(after, bytesMax, through),
    );
  }

  /**
   * Frames after `after` and through `committedThrough`: as many as fit in `bytesMax`, at least one if there is
   * anything. `foldedThrough` is a sequence through which the table is known to be complete.
   */
  read(
    after: number,
    bytesMax: number,
    committedThrough: number,
    foldedThrough: number,
  ): LogFrame[] {
    const unsaved = this.#unsaved;
    if (after >= committedThrough) return [];
    return reading(() => {
      const run = new FrameRun(after, bytesMax);
      const savedThrough = Math.min(unsaved.savedThrough, committedThrough);
      if (after < savedThrough) {
        const isRecent = this.#recent(run, savedThrough);
        if (!isRecent) return this.#compacted(after, bytesMax, foldedThrough);
      }
      for (const frame of unsaved) if (frame.through > run.reached && !run.take(frame)) break;
      return run.frames;
    }, this.#onDamaged);
  }

  /** Takes what the journal has. Returns whether it still reaches back to where the run begins. */
  #recent(run: FrameRun, through: number): boolean {
    for (const row of this.#frames.iterate(run.reached, through)) {
      if (row.after > run.reached) return false;
      if (!run.take(row)) return true;
    }
    return run.frames.length > 0;
  }

  #readCompacted(after: number, bytesMax: number, foldedThrough: number): LogFrame[] {
    const rowsMax = this.#rowsMax;
    const rows = this.#rows.all(after, foldedThrough, rowsMax + 1);
    const count = fitting(rows, rowsMax, bytesMax);
    if (count > 0) this.#rowsMax = Math.min(COMPACTED_ROWS, 2 * count);
    const entries = this.#entriesOf(after, rows.slice(0, count));
    const frames: LogFrame[] = [];
    let run: Entry[] = [];
    let [runBytes, reached, through] = [0, after, after];
    for (const [index, entry] of entries.entries()) {
      if (runBytes >= COMPACTED_BYTES) {
        frames.push(compactedFrame(reached, through, run));
        reached = through;
        run = [];
        runBytes = 0;
      }
      run.push(entry);
      runBytes += entryBytes(entry);
      through = sequenceOf(rows[index]) ?? through;
    }
    const isWhole = count === rows.length;
    frames.push(compactedFrame(reached, isWhole ? foldedThrough : through, run));
    return frames;
  }

  /**
   * The entries of rows that follow each other. Their values come in one piece, because an array of its own for each would take more time than all the
   * rest of reading it.
   */
  #entriesOf(after: number, rows: readonly Row[]): readonly Entry[] {
    const through = sequenceOf(rows.at(-1)) ?? after;
    const values = rows.length === 1 ? this.#value : this.#values;
    const { buffer, byteOffset } = values.get(after, through) ?? NO_BYTES;
    let at = byteOffset;
    return rows.map((row) => {
      const bytes = valueBytesOf(row);
      at += bytes;
      return { ...headOf(row), value: new Uint8Array(buffer, at - bytes, bytes) };
    });
  }
}

/** A frame as the journal will have it. */
export function frameOfRow(frame: LogFrame): LogFrame {
  const { after, through, count, highestTime, incarnation, position, block } = frame;
  const known = frame.incomplete === true ? 0 : position;
  return { after, through, count, highestTime, incarnation, position: known, block };
}

/** How many of the rows fit in `rowsMax` and `bytesMax`; at least one, if there is one. */
function fitting(rows: readonly Row[], rowsMax: number, bytesMax: number): number {
  let bytes = 0;
  for (const [index, row] of rows.entries()) {
    bytes += entryBytes(headOf(row)) + valueBytesOf(row);
    if (index === rowsMax || (index > 0 && bytes > bytesMax)) return index;
  }
  return rows.length;
}

/** The entry of a row, without its value. */
function headOf([key, time, origin, expiresAtMs, deleted, contentType, attributes]: Row): Entry {
  const entry = {
    key,
    value: NO_BYTES,
    contentType,
    stamp: { time, origin },
    expiresAtMs,
    deleted: deleted === 1,
  };
  return attributes === null ? entry : { ...entry, attributes: plainBytes(attributes) };
}

function valueBytesOf(row: Row): number {
  return row[8];
}

function sequenceOf(row: Row | undefined): number | undefined {
  return row?.[7];
}

function compactedFrame(after: number, through: number, entries: readonly Entry[]): LogFrame {
  return {
    after,
    through,
    count: entries.length,
    highestTime: highestTimeOf(entries),
    incarnation: 0,
    position: 0,
    block: encodeBlock(entries),
  };
}

/** The part of a frame after the sequence `after`, which lies within it. */
function tailOf(frame: LogFrame, after: number): LogFrame {
  // The last entry has the sequence `through`, the others those just before it.
  const count = Math.min(frame.count, frame.through - after);
  const entries = decodeBlock(frame.block, frame.count).slice(frame.count - count);
  return {
    ...frame,
    after,
    count,
    highestTime: highestTimeOf(entries),
    position: 0,
    block: encodeBlock(entries),
  };
}
