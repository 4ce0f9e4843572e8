import type { EntryMark } from "@meridian/ports";
import { isPurgeable, type Entry, type Stamp, type Summary } from "@meridian/protocol";
import type Database from "better-sqlite3";
import { asStoreError, type OnDamaged } from "./store-error.ts";

/** An entry without its value. */
export interface EntryFacts {
  readonly key: string;
  readonly stamp: Stamp;
  readonly expiresAtMs: number;
  readonly deleted: boolean;
  readonly contentType: string;
  /** The bytes of the value. */
  readonly bytes: number;
}

/** The columns of a table that make up an entry. */
export interface EntryRow {
  readonly time: number;
  readonly origin: number;
  readonly expires_at: number;
  readonly deleted: number;
  readonly content_type: string;
  readonly value: Uint8Array;
  readonly attributes: Uint8Array | null;
}

interface FactsRow extends Omit<EntryRow, "value" | "attributes"> {
  readonly key: string;
  readonly bytes: number;
}

/** Reads the table of entries. Throws `STORE_CORRUPT` or `STORE_FAILED`. */
export class EntryTable {
  readonly #entry: Database.Statement<[string], EntryRow>;
  readonly #stamp: Database.Statement<[string], Stamp>;
  readonly #mark: Database.Statement<[string], MarkRow>;
  readonly #summaries: Database.Statement<[number], SummaryRow>;
  readonly #summariesAfter: Database.Statement<[string, number], SummaryRow>;
  readonly #facts: Database.Statement<[string, number], FactsRow>;
  readonly #factsAfter: Database.Statement<[string, number], FactsRow>;
  readonly #count: Database.Statement<[], number | null>;

  readonly #onDamaged: OnDamaged | undefined;

  constructor(database: Database.Database, onDamaged?: OnDamaged) {
    this.#onDamaged = onDamaged;
    this.#entry = database.prepare(
      `SELECT time, origin, expires_at, deleted, content_type, value, attributes
       FROM entries WHERE key = ?`,
    );
    this.#stamp = database.prepare("SELECT time, origin FROM entries WHERE key = ?");
    this.#mark = database
      .prepare<[string], MarkRow>(
        "SELECT time, origin, expires_at, deleted FROM entries WHERE key = ?",
      )
      .raw() as Database.Statement<[string], MarkRow>;
    this.#summaries = summaries(database, "");
    this.#summariesAfter = summaries(database, "WHERE key > ?");
    this.#facts = facts(database, "key >= ?");
    this.#factsAfter = facts(database, "key > ?");
    this.#count = database
      .prepare<[], number | null>(
        "SELECT ifnull((SELECT max(id) FROM entries), 0) - gaps FROM state",
      )
      .pluck();
  }

  /** The entry of `key`. */
  get(key: string): Entry | undefined {
    return this.#reading(() => {
      const row = this.#entry.get(key);
      return row === undefined ? undefined : entryOf(key, row);
    });
  }

  /** The stamp of the entry of `key`. */
  stampOf(key: string): Stamp | undefined {
    return this.#reading(() => this.#stamp.get(key));
  }

  /** The entry of `key` without its value. */
  mark(key: string): EntryMark | undefined {
    return this.#reading(() => {
      const row = this.#mark.get(key);
      if (row === undefined) return undefined;
      const [time, origin, expiresAtMs, deleted] = row;
      return { key, stamp: { time, origin }, deleted: deleted === 1, expiresAtMs };
    });
  }

  /** The next `limit` keys after `key` (null: from the start) in key order: those that are purgeable under `horizon` as `LeftOut`. */
  summariesAfter(key: string | null, limit: number, horizon: number): Summary[] {
    return this.#reading(() => {
      const rows = key === null ? this.#summaries.all(limit) : this.#summariesAfter.all(key, limit);
      return rows.map((row) => summaryOfRow(row, horizon));
    });
  }

  /** The entries without their values, from `key` on or after it, in key order, at most `limit`. */
  factsFrom(key: string, including: boolean, limit: number): EntryFacts[] {
    return this.#reading(() =>
      (including ? this.#facts : this.#factsAfter).all(key, limit).map((row) => ({
        key: row.key,
        stamp: { time: row.time, origin: row.origin },
        expiresAtMs: row.expires_at,
        deleted: row.deleted === 1,
        contentType: row.content_type,
        bytes: row.bytes,
      })),
    );
  }

  #reading<T>(read: () => T): T {
    return reading(read, this.#onDamaged);
  }

  /**
   * How many entries there are: rows are numbered from 1, and the ids below the last that have none are counted. Null if
   * the database is damaged there.
   */
  get size(): number | null {
    try {
      return this.#reading(() => this.#count.get() ?? 0);
    } catch (failure) {
      if (asStoreError(failure, "count").code === "STORE_CORRUPT") return null;
      throw failure;
    }
  }
}

/** The bytes of a column as a plain array: a `Buffer` would behave differently where it is sliced. */
export function plainBytes(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Runs a read and says what its failure means, to `onDamaged` too if the database is damaged. */
export function reading<T>(read: () => T, onDamaged?: OnDamaged): T {
  try {
    return read();
  } catch (cause) {
    const failure = asStoreError(cause, "read the store");
    if (failure.code === "STORE_CORRUPT") onDamaged?.(failure);
    throw failure;
  }
}

/** The entry of a row of the table. */
export function entryOf(key: string, row: EntryRow): Entry {
  const entry = {
    key,
    value: plainBytes(row.value),
    contentType: row.content_type,
    stamp: { time: row.time, origin: row.origin },
    expiresAtMs: row.expires_at,
    deleted: row.deleted === 1,
  };
  return row.attributes === null ? entry : { ...entry, attributes: plainBytes(row.attributes) };
}

/** A key that does not count, because what it holds is purgeable. */
export class LeftOut implements Summary {
  readonly key: string;
  readonly stamp: Stamp;

  constructor({ key, stamp }: Summary) {
    this.key = key;
    this.stamp = stamp;
  }
}

/** The summaries of those that count. */
export function countingSummaries(found: readonly Summary[]): readonly Summary[] {
  return found.filter((summary) => !(summary instanceof LeftOut));
}

type MarkRow = [time: number, origin: number, expiresAtMs: number, deleted: number];

type SummaryRow = [
  key: string,
  time: number,
  origin: number,
  expiresAtMs: number,
  deleted: number,
  attributes: Uint8Array | null,
];

function summaryOfRow(row: SummaryRow, horizon: number): Summary {
  const [key, time, origin, expiresAtMs, deleted, attributes] = row;
  const summary = { key, stamp: { time, origin } };
  const isGone = isPurgeable({ ...summary, deleted: deleted === 1, expiresAtMs }, horizon);
  if (isGone) return new LeftOut(summary);
  const emptiedUntilMs = deleted * expiresAtMs;
  if (attributes === null && emptiedUntilMs === 0) return summary;
  return {
    ...summary,
    ...(attributes !== null && { attributes: plainBytes(attributes) }),
    ...(emptiedUntilMs > 0 && { emptiedUntilMs }),
  };
}

function summaries<P extends unknown[]>(
  database: Database.Database,
  where: string,
): Database.Statement<P, SummaryRow> {
  return database
    .prepare<P, SummaryRow>(
      `SELECT key, time, origin, expires_at, deleted, attributes FROM entries ${where}
       ORDER BY key LIMIT ?`,
    )
    .raw() as Database.Statement<P, SummaryRow>;
}

function facts(
  database: Database.Database,
  where: string,
): Database.Statement<[string, number], FactsRow> {
  return database.prepare(
    `SELECT key, time, origin, expires_at, deleted, content_type, length(value) AS bytes
     FROM entries WHERE ${where} ORDER BY key LIMIT ?`,
  );
}
