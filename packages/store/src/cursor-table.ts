import type { Cursor } from "@meridian/protocol";
import type Database from "better-sqlite3";

/** The tables that hold cursors, newest last. */
export type CursorTable = "cursors" | "followed" | "compared";

/** Reads a list of cursors. */
export function readCursors(database: Database.Database, table: CursorTable): Cursor[] {
  return database
    .prepare<[], Cursor>(`SELECT log_id AS logId, epoch, sequence FROM ${table} ORDER BY id`)
    .all();
}

/** Replaces a node's list of cursors. */
export function replaceCursors(database: Database.Database, cursors: readonly Cursor[]): void {
  database.prepare("DELETE FROM cursors").run();
  const insert = database.prepare("INSERT INTO cursors (log_id, epoch, sequence) VALUES (?, ?, ?)");
  for (const { logId, epoch, sequence } of cursors) insert.run(logId, epoch, sequence);
}
