/**
 * The two schemas. Both have a journal, which takes every commit as one row, and a table of entries, into which
 * the journal is folded. The value comes last of what every row has: scans that do not want it skip it, and a large one
 * lies on pages of its own. Behind it are the attributes, which nearly every row lacks: a row says so before its value.
 */

/** What a database is for. */
export type StoreKind = "replica" | "directory";

/** The names of their files in the data folders of their programs. */
export const DATABASE_NAMES: Readonly<Record<StoreKind, string>> = {
  replica: "region.db",
  directory: "directory.db",
};

/** A kind of database: how its file says so, and the steps from an empty file to the newest schema. */
export interface StoreSchema {
  /** SQLite's `application_id`. */
  readonly applicationId: number;
  /** Invariant: a step is never changed once released; `user_version` counts the steps a file has taken. */
  readonly migrations: readonly string[];
  /** Makes tables that are missing and that earlier versions pass over. These do not count as a step, so that a version before can open the file. */
  readonly additions: string;
}

/** It is added to a file's version while its redo files may hold what the database does not: versions before them refuse the file then. */
export const REDO_VERSION = 1_000;

/** See `redo-table.ts`. */
const REDO = `
  CREATE TABLE IF NOT EXISTS redo (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    nonce INTEGER NOT NULL,
    through INTEGER NOT NULL
  );
`;

const REPLICA_1 = `
  CREATE TABLE state (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    incarnation INTEGER NOT NULL,
    cursor_log_id INTEGER,
    cursor_epoch INTEGER,
    cursor_sequence INTEGER,
    outbox_through INTEGER NOT NULL,
    outbox_acknowledged INTEGER NOT NULL,
    highest_time INTEGER NOT NULL,
    admitted_time INTEGER NOT NULL,
    journal_through INTEGER NOT NULL,
    folded_through INTEGER NOT NULL
  );
  CREATE TABLE journal (
    id INTEGER PRIMARY KEY,
    count INTEGER NOT NULL,
    highest_time INTEGER NOT NULL,
    outbox_position INTEGER,
    replaced BLOB,
    block BLOB NOT NULL
  );
  CREATE UNIQUE INDEX journal_outbox ON journal (outbox_position) WHERE outbox_position IS NOT NULL;
  CREATE TABLE entries (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    time INTEGER NOT NULL,
    origin INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    deleted INTEGER NOT NULL,
    content_type TEXT NOT NULL,
    value BLOB NOT NULL
  );
  CREATE TABLE quarantine (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    time INTEGER NOT NULL,
    origin INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    deleted INTEGER NOT NULL,
    reason TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    content_type TEXT NOT NULL,
    value BLOB NOT NULL
  );
`;

const DIRECTORY_1 = `
  CREATE TABLE state (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    log_id INTEGER NOT NULL,
    folded_through INTEGER NOT NULL
  );
  CREATE TABLE epochs (
    id INTEGER PRIMARY KEY,
    epoch INTEGER NOT NULL UNIQUE,
    after INTEGER NOT NULL
  );
  CREATE TABLE marks (
    incarnation INTEGER PRIMARY KEY,
    position INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    highest_time INTEGER NOT NULL
  );
  CREATE TABLE journal (
    id INTEGER PRIMARY KEY,
    after INTEGER NOT NULL,
    count INTEGER NOT NULL,
    highest_time INTEGER NOT NULL,
    incarnation INTEGER NOT NULL,
    position INTEGER NOT NULL,
    rows_through INTEGER NOT NULL,
    entries_through INTEGER NOT NULL,
    bytes_through INTEGER NOT NULL,
    block BLOB NOT NULL
  );
  CREATE TABLE entries (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    time INTEGER NOT NULL,
    origin INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    deleted INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    content_type TEXT NOT NULL,
    value BLOB NOT NULL
  );
  CREATE INDEX entries_sequence ON entries (sequence);
`;

const REPLICA_2 = `
  ALTER TABLE state ADD COLUMN horizon INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE state ADD COLUMN quarantine_through INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE state ADD COLUMN quarantined INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE state ADD COLUMN gaps INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE quarantine DROP COLUMN reason;
`;

const DIRECTORY_2 = `
  ALTER TABLE state ADD COLUMN horizon INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE state ADD COLUMN frozen_until_ms INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE state ADD COLUMN gaps INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE state ADD COLUMN purged_through INTEGER NOT NULL DEFAULT 0;
  CREATE TABLE horizon_marks (
    id INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    sequence INTEGER NOT NULL
  );
`;

const REPLICA_3 = `
  CREATE TABLE cursors (
    id INTEGER PRIMARY KEY,
    log_id INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    UNIQUE (log_id, epoch)
  );
`;

const DIRECTORY_3 = `
  CREATE TABLE followed (
    id INTEGER PRIMARY KEY,
    log_id INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    UNIQUE (log_id, epoch)
  );
`;

const DIRECTORY_4 = `
  CREATE TABLE members (
    id TEXT PRIMARY KEY,
    region TEXT NOT NULL,
    url TEXT NOT NULL,
    ip TEXT NOT NULL,
    port INTEGER NOT NULL,
    lat REAL NOT NULL,
    lon REAL NOT NULL,
    generation INTEGER NOT NULL,
    seen_at_ms REAL NOT NULL
  );
`;

const REPLICA_4 = `
  ALTER TABLE entries ADD COLUMN attributes BLOB;
  ALTER TABLE quarantine ADD COLUMN attributes BLOB;
`;

/** Nobody knows yet what a node has had beyond its cursor until now. */
const REPLICA_5 = `
  CREATE TABLE tail (
    id INTEGER PRIMARY KEY,
    log_id INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    keys TEXT
  );
  INSERT INTO tail (log_id, epoch, sequence, keys)
    SELECT cursor_log_id, cursor_epoch, 9007199254740991, NULL FROM state
    WHERE cursor_log_id IS NOT NULL AND cursor_log_id > 0;
`;

const DIRECTORY_5 = `
  ALTER TABLE entries ADD COLUMN attributes BLOB;
`;

const REPLICA_ADDITIONS = `
${REDO}
  CREATE TABLE IF NOT EXISTS taken_back (
    id INTEGER PRIMARY KEY,
    time INTEGER NOT NULL,
    origin INTEGER NOT NULL
  );
`;

const DIRECTORY_ADDITIONS = `
${REDO}
  CREATE TABLE IF NOT EXISTS compared (
    id INTEGER PRIMARY KEY,
    log_id INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    UNIQUE (log_id, epoch)
  );
  CREATE TABLE IF NOT EXISTS admitted (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    time INTEGER NOT NULL
  );
  CREATE TABLE IF NOT EXISTS stream_place (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    sequence INTEGER NOT NULL,
    message TEXT NOT NULL
  );
  CREATE TABLE IF NOT EXISTS doubt (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    why TEXT NOT NULL,
    since_ms REAL NOT NULL
  );
`;

/** The schema of each kind. */
export const SCHEMAS: Readonly<Record<StoreKind, StoreSchema>> = {
  replica: {
    applicationId: 0x4d52444e,
    migrations: [REPLICA_1, REPLICA_2, REPLICA_3, REPLICA_4, REPLICA_5],
    additions: REPLICA_ADDITIONS,
  },
  directory: {
    applicationId: 0x4d524444,
    migrations: [DIRECTORY_1, DIRECTORY_2, DIRECTORY_3, DIRECTORY_4, DIRECTORY_5],
    additions: DIRECTORY_ADDITIONS,
  },
};
