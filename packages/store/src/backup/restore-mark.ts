/**
 * The mark of a restore: a file beside the database that says which backup the database came from. The first program that opens the
 * database tells its log, and removes the mark once the database itself says what has to be known of it.
 */
import { closeSync, existsSync, openSync, readSync, rmSync, writeFileSync } from "node:fs";

import type { LogFields, Logger } from "@meridian/runtime";

import type { BackupFacts } from "./backup-file.ts";
import { flush } from "./snapshot.ts";

/** What the log is told. */
export interface RestoreMark extends Pick<BackupFacts, "takenAtMs" | "version" | "sha256"> {
  /** The path of the backup. */
  readonly file: string;
  readonly restoredAtMs: number;
}

/** More than this is not read of a mark, which somebody may have changed. */
const BYTES_MAX = 64 * 1024;

/** Writes the mark of the database at `path`, in the place of an older one, so that it outlives a loss of power. */
export function writeRestoreMark(path: string, mark: RestoreMark): void {
  writeFileSync(fileOf(path), `${JSON.stringify(mark)}\n`);
  flush(fileOf(path));
}

/** Removes the mark of a database that says itself what has to be known, that was not restored after all, or that is gone. */
export function removeRestoreMark(path: string): void {
  rmSync(fileOf(path), { force: true });
}

/** Whether the database at `path` was restored, and does not say so itself yet. */
export function isRestored(path: string): boolean {
  return existsSync(fileOf(path));
}

/** Tells the log that the database at `path` was restored, and from what. */
export function tellRestored(path: string, logger: Logger): void {
  if (!existsSync(fileOf(path))) return;
  logger.warn("the data was restored from a backup", factsOf(path));
}

function factsOf(path: string): LogFields {
  try {
    const text = beginningOf(fileOf(path));
    const { file, sha256, version, takenAtMs, restoredAtMs } = JSON.parse(text) as RestoreMark;
    const [takenAt, restoredAt] = [takenAtMs, restoredAtMs].map((ms) => new Date(ms).toISOString());
    return { file, sha256, version, takenAt, restoredAt };
  } catch {
    // Somebody has changed the mark; that there was a restore is still worth the line.
    return { mark: fileOf(path) };
  }
}

function beginningOf(file: string): string {
  const bytes = Buffer.alloc(BYTES_MAX);
  const descriptor = openSync(file, "r");
  try {
    return bytes.toString("utf8", 0, readSync(descriptor, bytes, 0, BYTES_MAX, 0));
  } finally {
    closeSync(descriptor);
  }
}

function fileOf(path: string): string {
  return `${path}-restored`;
}
