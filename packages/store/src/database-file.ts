import { dirname } from "node:path";
import { MeridianError } from "@meridian/protocol";
import type { Logger } from "@meridian/runtime";
import Database from "better-sqlite3";
import { diskErrno, makeFolder, OpeningReserve } from "./disk.ts";
import { lockStore, type StoreLock } from "./lock.ts";
import { recover } from "./redo/redo-recovery.ts";
import { REDO_VERSION, SCHEMAS, type StoreKind } from "./schema.ts";
import { asStoreError, explain } from "./store-error.ts";

/** A database that is open, of the right kind and schema, and ours alone. */
export interface DatabaseFile {
  readonly path: string;
  readonly database: Database.Database;
  readonly lock: StoreLock;
}

/** The page size of new databases, in bytes: folding random keys writes a third less than with pages of 4 KiB. */
const PAGE_BYTES = 2048;

/** The page cache of the reading connection, in KiB. */
const READ_CACHE_KIB = 16 * 1024;

/**
 * Opens or creates the database at `path`, locks it, checks what it is, brings its schema up to date and puts into it what its redo files have.
 * `setUp` runs in the transaction that creates it. Where there is no room to open it, what was kept for that is given back first.
 * Throws `STORE_IN_USE`, `STORE_WRONG_KIND`, `STORE_SCHEMA_TOO_NEW`, `STORE_CORRUPT`, `STORE_FULL`, `STORE_READ_ONLY` or
 * `STORE_FAILED`, having changed nothing.
 */
export function openDatabaseFile(
  path: string,
  kind: StoreKind,
  setUp: (database: Database.Database) => void,
  logger: Logger,
): DatabaseFile {
  try {
    makeFolder(dirname(path));
  } catch (cause) {
    throw asStoreError(cause, `create the folder of ${path}`);
  }
  const reserve = new OpeningReserve(path);
  try {
    const file = tryOpening(path, kind, setUp, logger);
    reserve.take();
    return file;
  } catch (cause) {
    const { trouble, error } = explain(cause, `open ${path}`);
    if (trouble !== "full" || !reserve.give()) throw error;
    return tryOpening(path, kind, setUp, logger);
  }
}

function tryOpening(
  path: string,
  kind: StoreKind,
  setUp: (database: Database.Database) => void,
  logger: Logger,
): DatabaseFile {
  const lock = lockStore(path);
  let database: Database.Database | undefined;
  try {
    database = new Database(path);
    const version = checkKind(database, path, kind);
    // It changes new files only. In others SQLite would write that it is as it was, for which there may be no room.
    if (version === 0) {
      database.pragma(`page_size = ${PAGE_BYTES}`);
      database.pragma("auto_vacuum = INCREMENTAL");
    }
    database.pragma("journal_mode = WAL");
    database.pragma("synchronous = FULL");
    database.pragma(`cache_size = -${READ_CACHE_KIB}`);
    migrate(database, kind, version, setUp);
    database.exec(SCHEMAS[kind].additions);
    recover(database, kind, path, logger);
    return { path, database, lock };
  } catch (cause) {
    database?.close();
    lock.release();
    throw asStoreError(cause, `open ${path}`, () => diskErrno(path));
  }
}

/** Leaves the connection to reading only: from now on the writer thread writes. */
export function makeReadOnly(database: Database.Database): void {
  database.pragma("query_only = ON");
}

/** Returns the version of the file's schema: 0 for a new file. Throws `STORE_WRONG_KIND` or `STORE_SCHEMA_TOO_NEW`. */
export function checkKind(database: Database.Database, path: string, kind: StoreKind): number {
  const { applicationId, migrations } = SCHEMAS[kind];
  const found = Number(database.pragma("application_id", { simple: true }));
  const version = Number(database.pragma("user_version", { simple: true })) % REDO_VERSION;
  const tables = database.prepare("SELECT count(*) FROM sqlite_master").pluck().get();
  if (found === 0 && tables === 0) return 0;
  if (found !== applicationId) {
    throw new MeridianError(
      "STORE_WRONG_KIND",
      `Expected ${path} to be a ${kind} database (application id ${applicationId}), got ${found}`,
      { details: { path, expected: applicationId, found } },
    );
  }
  if (version > migrations.length) {
    throw new MeridianError(
      "STORE_SCHEMA_TOO_NEW",
      `Expected ${path} to have a schema of at most version ${migrations.length}, got ${version}`,
      { details: { path, versionMax: migrations.length, version } },
    );
  }
  return version;
}

function migrate(
  database: Database.Database,
  kind: StoreKind,
  from: number,
  setUp: (database: Database.Database) => void,
): void {
  const { applicationId, migrations } = SCHEMAS[kind];
  if (from === migrations.length) return;
  const run = database.transaction(() => {
    for (const step of migrations.slice(from)) database.exec(step);
    if (from === 0) setUp(database);
    database.pragma(`application_id = ${applicationId}`);
    database.pragma(`user_version = ${migrations.length}`);
  });
  run.immediate();
}
