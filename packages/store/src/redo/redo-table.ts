/**
 * What a database knows of its redo files: the nonce of the records that count, and the serial through which it has them. While records may count,
 * the version of the schema is one that earlier programs refuse: they would pass the files over.
 */
import type Database from "better-sqlite3";
import { REDO_VERSION } from "../schema.ts";

/** Which records of the redo files count. */
export interface RedoState {
  /** Their nonce; 0 for none. */
  readonly nonce: number;
  /** The database has the records through this serial. */
  readonly through: number;
}

const NOTHING: RedoState = { nonce: 0, through: 0 };

/** Reads which records count: none in a database that a program before the redo files has made. */
export function readRedoState(database: Database.Database): RedoState {
  const known = database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'redo'").get();
  if (known === undefined) return NOTHING;
  const found = database
    .prepare<[], RedoState>("SELECT nonce, through FROM redo WHERE id = 1")
    .get();
  return found ?? NOTHING;
}

/** From here on records with that nonce count, from the serial 1 on; none with 0. To be run in a transaction of the caller's. */
export function saveRedoNonce(database: Database.Database, nonce: number): void {
  database
    .prepare(
      `INSERT INTO redo (id, nonce, through) VALUES (1, ?, 0)
       ON CONFLICT (id) DO UPDATE SET nonce = excluded.nonce, through = 0`,
    )
    .run(nonce);
  const version = Number(database.pragma("user_version", { simple: true })) % REDO_VERSION;
  database.pragma(`user_version = ${nonce === 0 ? version : version + REDO_VERSION}`);
}
