/** Puts the database of a backup into a data folder, whole or not at all. */
import { existsSync, openSync, closeSync, renameSync, rmdirSync, rmSync, writeSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

import { MeridianError } from "@meridian/protocol";
import { systemClock, type Clock } from "@meridian/runtime";
import Database from "better-sqlite3";

import { checkKind } from "../database-file.ts";
import { diskErrno, makeFolder } from "../disk.ts";
import { lockStore } from "../lock.ts";
import { redoPaths } from "../redo/redo-recovery.ts";
import { readRedoState } from "../redo/redo-table.ts";
import { DATABASE_NAMES, SCHEMAS } from "../schema.ts";
import { asStoreError, explain, sqliteCodeOf } from "../store-error.ts";
import {
  checkSize,
  damaged,
  openBackup,
  piecesOf,
  type BackupFacts,
  type OpenBackup,
} from "./backup-file.ts";
import { removeRestoreMark, writeRestoreMark } from "./restore-mark.ts";
import { checkFreeBytes, flush, removeDatabase } from "./snapshot.ts";

/** What is restored, and into which data folder. */
export interface RestoreRequest {
  readonly file: string;
  readonly folder: string;
  /** Told of the bytes that were written. */
  readonly onBytes?: (bytes: number) => void;
  /** Says when it was restored. Default: the clock of the platform. */
  readonly clock?: Pick<Clock, "nowMs">;
}

/**
 * Restores a backup. A folder that has data already is left as it is: `INVALID_ARGUMENT`. Rejects with `BACKUP_DAMAGED` for a file that is not what was
 * written, `STORE_SCHEMA_TOO_NEW` for one of a newer version, `STORE_IN_USE` while a program runs in the folder, and where
 * the disk refuses with what it does; each time the folder is as it was.
 */
export async function restoreBackup(request: RestoreRequest): Promise<BackupFacts> {
  const { file, folder } = request;
  const backup = await openBackup(file);
  try {
    const path = join(folder, DATABASE_NAMES[backup.facts.kind]);
    checkSchema(backup.facts);
    await checkSize(backup, file);
    const left = traces(path);
    try {
      makeFolder(folder);
    } catch (cause) {
      throw asStoreError(cause, `create ${folder}`);
    }
    try {
      await underLock(path, () => write(backup, request, path));
    } catch (cause) {
      left.remove();
      throw cause;
    }
    return backup.facts;
  } finally {
    await backup.file.close();
  }
}

async function underLock(path: string, work: () => Promise<void>): Promise<void> {
  const lock = lockStore(path);
  try {
    checkEmpty(path);
    await work();
  } finally {
    lock.release();
  }
}

async function write(
  backup: OpenBackup,
  { file, onBytes = () => {}, clock = systemClock }: RestoreRequest,
  path: string,
): Promise<void> {
  const { bytes, sha256, version, takenAtMs } = backup.facts;
  const part = `${path}-restoring`;
  try {
    // An attempt that was killed may have left a journal, which would be played back into this database.
    removeDatabase(part);
    checkFreeBytes(bytes, path);
    const out = openSync(part, "w");
    try {
      for await (const piece of piecesOf(backup, file)) {
        for (let at = 0; at < piece.byteLength;) at += writeSync(out, piece, at);
        onBytes(piece.byteLength);
      }
    } finally {
      closeSync(out);
    }
    renewIdentity(part, backup.facts, file);
    flush(part);
    const restoredAtMs = clock.nowMs();
    writeRestoreMark(path, { file: resolve(file), sha256, version, takenAtMs, restoredAtMs });
    renameSync(part, path);
    flush(dirname(path));
  } catch (cause) {
    removeDatabase(part);
    removeRestoreMark(path);
    throw asStoreError(cause, `restore ${path}`, () => diskErrno(path));
  }
}

function checkSchema({ kind, schema }: BackupFacts): void {
  const most = SCHEMAS[kind].migrations.length;
  if (schema <= most) return;
  throw new MeridianError(
    "STORE_SCHEMA_TOO_NEW",
    `Expected a backup with a schema of at most version ${most}, got ${schema}`,
  );
}

/** What an attempt that fails leaves in a folder, beside the data that was there. */
function traces(path: string): { remove(): void } {
  const folder = dirname(path);
  const missing: string[] = [];
  for (let at = resolve(folder); !existsSync(at); at = dirname(at)) missing.push(at);
  return {
    // A folder that was there keeps its lock file, by which others may have it already; one that others have put something into stays.
    remove: () => {
      if (missing.length === 0) return;
      rmSync(`${path}.lock`, { force: true });
      try {
        for (const each of missing) rmdirSync(each);
      } catch {
        // Nothing of it is data.
      }
    },
  };
}

/** What belongs to a database that was there would be taken for this one's. */
function checkEmpty(path: string): void {
  const beside = [`${path}-wal`, `${path}-shm`, `${path}-journal`, ...redoPaths(path)];
  const found = [path, ...beside].find((each) => existsSync(each));
  if (found === undefined) return;
  throw new MeridianError(
    "INVALID_ARGUMENT",
    `Expected a folder without data, got one with \`${found}\`: move it away first, or restore into another folder`,
  );
}

/**
 * A node's database is to take another incarnation when it is opened: the one in the backup may have gone on, and its
 * positions may stand for other writes. A log keeps its id: each opening begins an epoch of its own, by which whoever is
 * further than the backup finds that out.
 */
function renewIdentity(path: string, { kind, schema }: BackupFacts, file: string): void {
  const database = new Database(path);
  try {
    const found = checkKind(database, path, kind);
    if (readRedoState(database).nonce !== 0) throw damaged(file, "waits for what is not in it");
    if (found !== schema) throw damaged(file, `holds a schema of version ${found}, not ${schema}`);
    // A checksum says that the pages are as they were written, not that they are a database.
    const said = database.pragma("quick_check(1)", { simple: true });
    if (said !== "ok") throw damaged(file, `holds pages that are no database (${String(said)})`);
    if (kind === "replica") database.exec("UPDATE state SET incarnation = 0");
  } catch (cause) {
    if (cause instanceof MeridianError || !isDamage(cause)) throw cause;
    throw damaged(file, "holds pages that are no database");
  } finally {
    database.close();
  }
}

function isDamage(cause: unknown): boolean {
  return explain(cause, "restore").trouble === "damaged" || sqliteCodeOf(cause) === "SQLITE_ERROR";
}
