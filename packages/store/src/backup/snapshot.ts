/**
 * Copies the database of a program that may be running and writing. One read transaction stands for the whole of the copy, so it is the database
 * as of one commit. Meanwhile the write-ahead log grows by what is written; so nothing but the disk may hold the copy up.
 */
import { fsyncSync, openSync, closeSync, rmSync, statfsSync } from "node:fs";
import { dirname } from "node:path";

import { MeridianError } from "@meridian/protocol";
import type { Clock } from "@meridian/runtime";
import Database from "better-sqlite3";

import { checkKind } from "../database-file.ts";
import { diskErrno } from "../disk.ts";
import { readRedoFiles, redo } from "../redo/redo-recovery.ts";
import type { RedoRecord } from "../redo/redo-record.ts";
import type { StoreKind } from "../schema.ts";
import { asStoreError } from "../store-error.ts";
import { fileBytes } from "../store-stats.ts";
import { sha256OfFile, type BackupFacts } from "./backup-file.ts";

/** What is copied at a time, in pages. The disk is left to others for as long as that took. */
const PAGES = 2_048;

/** What the copy leaves free, in bytes. */
const SPARE_BYTES = 64 * 1024 * 1024;

/** What is copied, and where to. */
export interface SnapshotRequest {
  readonly path: string;
  readonly kind: StoreKind;
  readonly to: string;
}

/** What the copy says of itself. */
export type SnapshotFacts = Pick<BackupFacts, "kind" | "schema" | "bytes" | "sha256">;

/** Told of how much is copied, in pages. */
export type OnCopied = (copied: number, of: number) => void;

/** Who looks on. */
export interface SnapshotObserver {
  readonly onCopied?: OnCopied;
  /** Called between two steps: before, during and after the copying. What it throws ends the snapshot. */
  readonly onStep?: () => void;
}

/**
 * Copies a database, leaving the disk to others half of the time by `clock`, and checks the copy. Rejects with a store's errors, `STORE_CORRUPT` for a database that is damaged and `STORE_FULL` where
 * there is no room, having left nothing.
 */
export async function takeSnapshot(
  { path, kind, to }: SnapshotRequest,
  clock: Pick<Clock, "elapsedMs">,
  { onCopied = () => {}, onStep = () => {} }: SnapshotObserver = {},
): Promise<SnapshotFacts> {
  try {
    onStep();
    // Read before the copy begins: what was durable by now is in it, or in the database.
    const records = readRedoFiles(path);
    // An attempt that was killed may have left half a copy, and a journal of it.
    removeDatabase(to);
    checkRoom(path, to);
    const schema = await copy({ path, kind, to }, clock, (copied, of) => {
      onStep();
      onCopied(copied, of);
    });
    onStep();
    check(to, { path, kind }, records);
    onStep();
    flush(to);
    return { kind, schema, bytes: fileBytes(to), sha256: await sha256OfFile(to, onStep) };
  } catch (cause) {
    removeDatabase(to);
    throw asStoreError(cause, `back up ${path}`, () => diskErrno(to));
  }
}

/** Removes a database that nobody uses, with all that belongs to it. */
export function removeDatabase(path: string): void {
  for (const end of ["", "-journal", "-wal", "-shm"]) rmSync(`${path}${end}`, { force: true });
}

/** Throws `STORE_FULL` unless so many bytes fit beside `path`, with some to spare. */
export function checkFreeBytes(bytes: number, path: string): void {
  const { bavail, bsize, blocks } = statfsSync(dirname(path));
  const free = bavail * bsize;
  if (blocks === 0 || free >= bytes + SPARE_BYTES) return;
  throw new MeridianError(
    "STORE_FULL",
    `Expected ${bytes + SPARE_BYTES} bytes free in ${dirname(path)}, got ${free}; nothing was written`,
    { details: { free, expected: bytes + SPARE_BYTES } },
  );
}

function checkRoom(path: string, to: string): void {
  checkFreeBytes(fileBytes(path) + fileBytes(`${path}-wal`), to);
}

async function copy(
  { path, kind, to }: SnapshotRequest,
  clock: Pick<Clock, "elapsedMs">,
  onCopied: OnCopied,
): Promise<number> {
  const source = new Database(path, { readonly: true, fileMustExist: true });
  try {
    // From here on this connection sees the database as it is now, whatever others commit.
    source.exec("BEGIN");
    const schema = checkKind(source, path, kind);
    if (schema === 0) throw new MeridianError("STORE_WRONG_KIND", `Expected data in ${path}`);
    let beganMs = clock.elapsedMs();
    await source.backup(to, {
      progress: ({ totalPages, remainingPages }) => {
        onCopied(totalPages - remainingPages, totalPages);
        rest(clock.elapsedMs() - beganMs);
        beganMs = clock.elapsedMs();
        return PAGES;
      },
    });
    return schema;
  } finally {
    source.close();
  }
}

/** Waits on this thread, which has nothing else to do. */
function rest(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Math.min(ms, 100));
}

/** Makes the copy one file, with what the redo files had, and throws `STORE_CORRUPT` if it is damaged, as then what it was copied from is. */
function check(
  to: string,
  { path, kind }: Pick<SnapshotRequest, "path" | "kind">,
  records: readonly RedoRecord[],
): void {
  const database = new Database(to);
  try {
    database.pragma("journal_mode = DELETE");
    const found = database.pragma("quick_check(1)", { simple: true });
    if (found === "ok") {
      redo(database, kind, records);
      return;
    }
    throw new MeridianError("STORE_CORRUPT", `Expected ${path} to be whole, got ${String(found)}`);
  } finally {
    database.close();
  }
}

/** Makes a file, or the names in a folder, outlive a loss of power. */
export function flush(path: string): void {
  const file = openSync(path, "r");
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
