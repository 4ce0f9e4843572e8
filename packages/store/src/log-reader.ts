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
  type Entry,
  type LogFrame,
} from "@meridian/protocol";
import type Database from "better-sqlite3";
import { entryOf, plainBytes, reading, type EntryRow } from "./entry-table.ts";
import type { OnDamaged } from "./store-error.ts";
import { ROWS_PER_TURN } from "./turns.ts";

/** A compacted frame ends with the entry that reaches this many bytes. */
const COMPACTED_BYTES = 256 * 1024;

/** How many entries are read at a time to be compacted: who gets them takes them in as one piece. */
const COMPACTED_ROWS = 512;

interface LogRow extends EntryRow {
  readonly key: string;
  readonly sequence: number;
}

/** Reads the log on the main thread's connection. */
export class LogReader {
  readonly #frames: Database.Statement<[number, number], LogFrame>;
  readonly #entries: Database.Statement<[number, number], LogRow>;

  readonly #onDamaged: OnDamaged | undefined;

  constructor(database: Database.Database, onDamaged?: OnDamaged) {
    this.#onDamaged = onDamaged;
    this.#frames = database.prepare(
      `SELECT after, id AS through, count, highest_time AS highestTime, incarnation, position, block
       FROM journal WHERE id > ? AND id <= ? ORDER BY id`,
    );
    this.#entries = database.prepare(
      `SELECT key, time, origin, expires_at, deleted, sequence, content_type, value, attributes
       FROM entries WHERE sequence > ? AND sequence <= ? ORDER BY sequence`,
    );
  }

  /**
   * Frames after `after` and through `committedThrough`: as many as fit in `bytesMax`, at least one if there is
   * anything. `foldedThrough` is a sequence through which the table is known to be complete.
   */
  read(
    after: number,
    bytesMax: number,
    bounds: { readonly committedThrough: number; readonly foldedThrough: number },
  ): LogFrame[] {
    const { committedThrough, foldedThrough } = bounds;
    if (after >= committedThrough) return [];
    return reading(
      () =>
        this.#recent(after, bytesMax, committedThrough) ??
        this.#compacted(after, bytesMax, foldedThrough),
      this.#onDamaged,
    );
  }

  /** Undefined if the journal no longer reaches back to `after`. */
  #recent(after: number, bytesMax: number, through: number): LogFrame[] | undefined {
    const frames: LogFrame[] = [];
    let bytes = 0;
    for (const row of this.#frames.iterate(after, through)) {
      if (frames.length === 0 && row.after > after) return undefined;
      bytes += row.block.byteLength;
      if (frames.length === ROWS_PER_TURN || (frames.length > 0 && bytes > bytesMax)) break;
      const frame = { ...row, block: plainBytes(row.block) };
      frames.push(row.after < after ? tailOf(frame, after) : frame);
    }
    return frames.length === 0 ? undefined : frames;
  }

  #compacted(after: number, bytesMax: number, foldedThrough: number): LogFrame[] {
    const frames: LogFrame[] = [];
    let run: Entry[] = [];
    let runBytes = 0;
    let bytes = 0;
    let reached = after;
    let through = after;
    let isWhole = true;
    let rows = 0;
    for (const row of this.#entries.iterate(after, foldedThrough)) {
      const entry = entryOf(row.key, row);
      const size = entryBytes(entry);
      if (rows === COMPACTED_ROWS || (bytes > 0 && bytes + size > bytesMax)) {
        isWhole = false;
        break;
      }
      if (runBytes >= COMPACTED_BYTES) {
        frames.push(compactedFrame(reached, through, run));
        reached = through;
        run = [];
        runBytes = 0;
      }
      run.push(entry);
      runBytes += size;
      bytes += size;
      rows += 1;
      through = row.sequence;
    }
    frames.push(compactedFrame(reached, isWhole ? foldedThrough : through, run));
    return frames;
  }
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
