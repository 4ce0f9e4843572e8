/**
 * The keys of the entries that a node holds beyond its cursor. If its directory has lost these entries, the node sends them again. A run goes as soon
 * as the cursor covers it, so the table is nearly always short; where it is not, one run without keys stands for all of them.
 */
import { isBeyond, type Cursor, type TailRun } from "@meridian/protocol";
import type Database from "better-sqlite3";

/** How many runs and keys are kept, at most. */
const RUNS_MAX = 1_024;
const KEYS_MAX = 32_768;

interface Run {
  readonly place: Cursor;
  /** Null where they are too many to be kept, or not known. */
  readonly keys: readonly string[] | null;
}

interface Row {
  readonly id: number;
  readonly logId: number;
  readonly epoch: number;
  readonly sequence: number;
  readonly keys: string | null;
}

/** Reads the tail; undefined where its keys are not known. */
export function readTail(database: Database.Database): readonly TailRun[] | undefined {
  const runs = readRuns(database).map(([, run]) => run);
  return runs.every(isWhole) ? runs : undefined;
}

/** Keeps the tail, on the writer thread. All of it runs in a transaction of the caller's. */
export class TailWriter {
  readonly #insert: Database.Statement<[number, number, number, string | null]>;
  readonly #delete: Database.Statement<[number]>;
  /** In the order in which they came. */
  #runs: Run[];
  /** The ids of those that are in the table. */
  #ids: Map<Run, number>;
  #keptRuns: readonly Run[];
  #keptIds: ReadonlyMap<Run, number>;
  #isDirty = false;

  constructor(database: Database.Database) {
    this.#insert = database.prepare(
      "INSERT INTO tail (log_id, epoch, sequence, keys) VALUES (?, ?, ?, ?)",
    );
    this.#delete = database.prepare("DELETE FROM tail WHERE id = ?");
    const rows = readRuns(database);
    this.#runs = rows.map(([, run]) => run);
    this.#ids = new Map(rows.map(([id, run]) => [run, id]));
    this.#keptRuns = [...this.#runs];
    this.#keptIds = new Map(this.#ids);
  }

  /** A frame that ends at `place` has brought these keys. */
  add(place: Cursor, keys: readonly string[]): void {
    this.#runs.push({ place, keys });
    this.#isDirty = true;
  }

  /** The cursor moves. */
  move(before: Cursor | null, after: Cursor): void {
    if (this.#runs.length === 0) return;
    const left = this.#runs.filter(({ place }) => isBeyond(place, before ?? undefined, after));
    if (left.length === this.#runs.length) return;
    this.#runs = left;
    this.#isDirty = true;
  }

  /** Brings the table up to date. */
  flush(): void {
    if (!this.#isDirty) return;
    this.#isDirty = false;
    this.#collapse();
    const left = new Set(this.#runs);
    for (const [run, id] of this.#ids) {
      if (left.has(run)) continue;
      this.#delete.run(id);
      this.#ids.delete(run);
    }
    for (const run of this.#runs) {
      if (this.#ids.has(run)) continue;
      const { logId, epoch, sequence } = run.place;
      const keys = run.keys === null ? null : JSON.stringify(run.keys);
      const { lastInsertRowid } = this.#insert.run(logId, epoch, sequence, keys);
      this.#ids.set(run, Number(lastInsertRowid));
    }
  }

  committed(): void {
    this.#keptRuns = [...this.#runs];
    this.#keptIds = new Map(this.#ids);
  }

  rolledBack(): void {
    this.#runs = [...this.#keptRuns];
    this.#ids = new Map(this.#keptIds);
    this.#isDirty = false;
  }

  /** One run for all, as far as the furthest in the log that the newest is of, where there are too many. */
  #collapse(): void {
    const keys = this.#runs.reduce((sum, run) => sum + (run.keys?.length ?? 0), 0);
    const last = this.#runs.at(-1)?.place;
    const isLost = this.#runs.length > 1 && this.#runs.some((run) => run.keys === null);
    if (last === undefined || !(isLost || keys > KEYS_MAX || this.#runs.length > RUNS_MAX)) return;
    const here = this.#runs.filter(
      ({ place }) => place.logId === last.logId && place.epoch === last.epoch,
    );
    const sequence = here.reduce((most, { place }) => Math.max(most, place.sequence), 0);
    this.#runs = [{ place: { ...last, sequence }, keys: null }];
  }
}

function readRuns(database: Database.Database): [number, Run][] {
  return database
    .prepare<[], Row>("SELECT id, log_id AS logId, epoch, sequence, keys FROM tail ORDER BY id")
    .all()
    .map(({ id, logId, epoch, sequence, keys }) => [
      id,
      { place: { logId, epoch, sequence }, keys: keys === null ? null : keysOf(keys) },
    ]);
}

/** What cannot be read is as good as lost. */
function keysOf(text: string): readonly string[] | null {
  try {
    return JSON.parse(text) as readonly string[];
  } catch {
    return null;
  }
}

function isWhole(run: Run): run is TailRun {
  return run.keys !== null;
}
