/**
 * The quarantine of a replica: entries that were live here and are deleted by the cluster's word. They go into a table of
 * their own, at once and not by way of the journal: there are few of them, and none is ever merged.
 */
import { decodeBlock, type QuarantinedEntry } from "@meridian/protocol";
import type Database from "better-sqlite3";
import { entryOf, reading, type EntryRow } from "./entry-table.ts";
import { BYTES_PER_TURN } from "./turns.ts";
import type { QuarantineWrite } from "./writer-messages.ts";

interface QuarantineRow extends EntryRow {
  readonly id: number;
  readonly key: string;
  readonly at_ms: number;
}

/** Writes the quarantine, in transactions of the caller's. */
export class QuarantineWriter {
  readonly #insert: Database.Statement<(string | number | Uint8Array | null)[]>;
  readonly #delete: Database.Statement<[number]>;

  constructor(database: Database.Database) {
    this.#insert = database.prepare(
      `INSERT INTO quarantine (id, key, time, origin, expires_at, deleted, at_ms, content_type, value,
         attributes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#delete = database.prepare("DELETE FROM quarantine WHERE id = ?");
  }

  /** Adds entries under the ids that follow `after`. */
  add(after: number, { atMs, count, block }: QuarantineWrite): void {
    let id = after;
    for (const entry of decodeBlock(block, count)) {
      const { key, stamp, expiresAtMs, deleted, contentType, value, attributes } = entry;
      id += 1;
      this.#insert.run(
        id,
        key,
        stamp.time,
        stamp.origin,
        expiresAtMs,
        deleted ? 1 : 0,
        atMs,
        contentType,
        value,
        attributes ?? null,
      );
    }
  }

  /** Whether there was an entry of that id, which is gone now. */
  remove(id: number): boolean {
    return this.#delete.run(id).changes > 0;
  }
}

/** Reads the quarantine. Throws `STORE_CORRUPT` or `STORE_FAILED`. */
export class QuarantineReader {
  readonly #after: Database.Statement<[number, number, number], QuarantineRow>;

  constructor(database: Database.Database) {
    this.#after = database.prepare(
      `SELECT id, key, time, origin, expires_at, deleted, at_ms, content_type, value, attributes
       FROM quarantine
       WHERE id > ? AND id <= ? ORDER BY id LIMIT ?`,
    );
  }

  /** Entries with ids above `id` and through `through`, in the order of their ids, at most `limit`, or as many as a turn reads. */
  after(id: number, through: number, limit: number): QuarantinedEntry[] {
    return reading(() => {
      const entries: QuarantinedEntry[] = [];
      let bytes = 0;
      for (const row of this.#after.iterate(id, through, limit)) {
        entries.push({ id: row.id, entry: entryOf(row.key, row), atMs: row.at_ms });
        bytes += row.value.byteLength;
        if (bytes >= BYTES_PER_TURN) break;
      }
      return entries;
    });
  }
}
