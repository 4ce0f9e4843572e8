/** Puts the database of a backup into a data folder, whole or not at all. */
import { existsSync, openSync, closeSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";

import { MeridianError } from "@meridian/protocol";
import Database from "better-sqlite3";

import { checkKind } from "../database-file.ts";
import { diskErrno, makeFolder } from "../disk.ts";
import { lockStore } from "../lock.ts";
import { DATABASE_NAMES, SCHEMAS } from "../schema.ts";
import { asStoreError } from "../store-error.ts";
import { openBackup, piecesOf, type BackupFacts, type OpenBackup } from "./backup-file.ts";
import { checkFreeBytes, flush } from "./snapshot.ts";

/** What is restored, and into which data folder. */
export interface RestoreRequest {
  readonly file: string;
  readonly folder: string;
  /** Told of the bytes that were written. */
  readonly onBytes?: (bytes: number) => void;
}

/**
 * Restores a backup. A folder that has data already is left as it is: `INVALID_ARGUMENT`. Rejects with `BACKUP_DAMAGED` for a file that is not what was
 * written, `STORE_SCHEMA_TOO_NEW` for one of a newer version, `STORE_IN_USE` while a program runs in the folder, and where
 * the disk refuses with what it does; each time the folder has no database.
 */
export async function restoreBackup(request: RestoreRequest): Promise<BackupFacts> {
  const { file, folder } = request;
  const backup = await openBackup(file);
  try {
    const path = join(folder, DATABASE_NAMES[backup.facts.kind]);
    try {
      makeFolder(folder);
    } catch (cause) {
      throw asStoreError(cause, `create ${folder}`);
    }
    const lock = lockStore(path);
    try {
      checkEmpty(path);
      await write(backup, request, path);
    } finally {
      lock.release();
    }
    return backup.facts;
  } finally {
    await backup.file.close();
  }
}

async function write(
  backup: OpenBackup,
  { file, onBytes = () => {} }: RestoreRequest,
  path: string,
): Promise<void> {
  const { bytes, kind, schema } = backup.facts;
  if (schema > SCHEMAS[kind].migrations.length) {
    throw new MeridianError(
      "STORE_SCHEMA_TOO_NEW",
      `Expected a backup with a schema of at most version ${SCHEMAS[kind].migrations.length}, got ${schema}`,
    );
  }
  const part = `${path}-restoring`;
  try {
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
    renewIdentity(part, kind);
    flush(part);
    renameSync(part, path);
    flush(dirname(path));
  } catch (cause) {
    for (const end of ["", "-journal"]) rmSync(`${part}${end}`, { force: true });
    throw asStoreError(cause, `restore ${path}`, () => diskErrno(path));
  }
}

/** What belongs to a database that was there would be taken for this one's. */
function checkEmpty(path: string): void {
  const found = [path, `${path}-wal`, `${path}-shm`, `${path}-journal`].find((each) =>
    existsSync(each),
  );
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
function renewIdentity(path: string, kind: BackupFacts["kind"]): void {
  const database = new Database(path);
  try {
    checkKind(database, path, kind);
    if (kind === "replica") database.exec("UPDATE state SET incarnation = 0");
  } finally {
    database.close();
  }
}
