/**
 * Puts into a database what its redo files have and it does not: after the death of the process, and in copies of the database.
 *
 * The records are written as the writer thread would have written them, in one transaction, which also says that no record counts any more. So a death
 * on the way changes nothing, and the next attempt does the same.
 */
import { existsSync, readFileSync, rmSync } from "node:fs";
import { MeridianError } from "@meridian/protocol";
import type { Logger } from "@meridian/runtime";
import type Database from "better-sqlite3";
import { directoryJournal } from "../directory-journal.ts";
import { replicaJournal } from "../replica-journal.ts";
import type { StoreKind } from "../schema.ts";
import { explain } from "../store-error.ts";
import { STORE_TUNING_DEFAULT } from "../store-options.ts";
import type { DirectoryWrite, JournalWrite, ReplicaWrite } from "../writer-messages.ts";
import { decodeBody } from "./redo-body.ts";
import { readRecords, type RedoRecord } from "./redo-record.ts";
import { readRedoState, saveRedoNonce, type RedoState } from "./redo-table.ts";

/** The two files of the database at `path`. */
export function redoPaths(path: string): readonly [string, string] {
  return [`${path}-redo-a`, `${path}-redo-b`];
}

/** What the redo files of a database hold, whether it counts or not. */
export function readRedoFiles(path: string): readonly RedoRecord[] {
  return redoPaths(path)
    .filter((each) => existsSync(each))
    .flatMap((each) => readRecords(readFileSync(each)))
    .toSorted((a, b) => a.serial - b.serial);
}

/** Removes the redo files of a database. */
function removeRedoFiles(path: string): void {
  for (const each of redoPaths(path)) rmSync(each, { force: true });
}

/** The records that count and that the database does not have, in order: through the first that is missing. */
export function outstandingRecords(
  records: readonly RedoRecord[],
  { nonce, through }: RedoState,
): RedoRecord[] {
  const outstanding: RedoRecord[] = [];
  if (nonce === 0) return outstanding;
  for (const record of records) {
    if (record.nonce !== nonce || record.serial <= through + outstanding.length) continue;
    if (record.serial !== through + outstanding.length + 1) break;
    outstanding.push(record);
  }
  return outstanding;
}

/** Puts into the database what it lacks of these records, so that none counts any more. Returns how many that were. */
export function redo(
  database: Database.Database,
  kind: StoreKind,
  records: readonly RedoRecord[],
): number {
  const state = readRedoState(database);
  if (state.nonce === 0) return 0;
  const writes = outstandingRecords(records, state).map(({ body }) => decodeBody(body));
  const run = database.transaction(() => {
    writeAll(database, kind, writes);
    saveRedoNonce(database, 0);
  });
  run.immediate();
  return writes.length;
}

/** Does that with the files of a database that is opened, and removes them. */
export function recover(
  database: Database.Database,
  kind: StoreKind,
  path: string,
  logger: Logger,
): void {
  const records = readRedoFiles(path);
  // Nothing is written without need: there may be no room.
  const isBehind = outstandingRecords(records, readRedoState(database)).length > 0;
  const count = isBehind ? redoOrRelieve(database, kind, records) : 0;
  if (count > 0) logger.info("the store took in what its redo file had", { path, records: count });
  // Files that cannot be removed are written over: what they hold has another nonce.
  try {
    removeRedoFiles(path);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    logger.warn("the redo files of the store could not be removed", { path, reason });
  }
}

/** Where there is no room, moving the write-ahead log may make some. */
function redoOrRelieve(
  database: Database.Database,
  kind: StoreKind,
  records: readonly RedoRecord[],
): number {
  try {
    return redo(database, kind, records);
  } catch (cause) {
    if (explain(cause, "redo").trouble === "damaged") throw cause;
    database.pragma("wal_checkpoint(TRUNCATE)");
    return redo(database, kind, records);
  }
}

function writeAll(
  database: Database.Database,
  kind: StoreKind,
  writes: readonly JournalWrite[],
): void {
  if (writes.length === 0) return;
  if (kind === "replica") {
    const journal = replicaJournal(database);
    for (const write of writes) journal.write(ofReplica(write));
    journal.flush();
  } else {
    const journal = directoryJournal(database, STORE_TUNING_DEFAULT);
    for (const write of writes) journal.write(ofDirectory(write));
    journal.flush();
  }
}

function ofReplica(write: JournalWrite): ReplicaWrite {
  if (write.kind === "entries") return write;
  throw new MeridianError("STORE_CORRUPT", "Expected entries in the redo file of a node");
}

function ofDirectory(write: JournalWrite): DirectoryWrite {
  if (write.kind === "frame") return write;
  throw new MeridianError("STORE_CORRUPT", "Expected frames in the redo file of a log");
}
