import type { DirectoryLog, LogDoubt } from "@meridian/ports";
import type Database from "better-sqlite3";

import type { StreamPlace } from "./stream-place.ts";

/** Reads why the log may lack something; null if nothing is known. */
export function readDoubt(database: Database.Database): LogDoubt | null {
  const row = database.prepare<[], LogDoubt>("SELECT why, since_ms AS sinceMs FROM doubt").get();
  return row ?? null;
}

/** Makes the function that writes, on the writer thread, what `readDoubt` reads. */
export function doubtWriter(database: Database.Database): (doubt: LogDoubt | null) => void {
  const remove = database.prepare("DELETE FROM doubt");
  const insert = database.prepare<[string, number]>(
    "INSERT INTO doubt (id, why, since_ms) VALUES (1, ?, ?)",
  );
  return (doubt) => {
    remove.run();
    if (doubt !== null) insert.run(doubt.why, doubt.sinceMs);
  };
}

/**
 * Doubts a log that was restored: a backup lacks what was decided after it. Where the log is made from a stream, the message at its place tells whether
 * it lacks anything. Resolves once the log may be used: `noted` resolves once that is durable, for which a full disk may have to be waited for.
 */
export async function doubtRestored(
  log: Pick<DirectoryLog, "doubt" | "saveDoubt" | "stall"> & {
    readonly place: StreamPlace | undefined;
  },
  sinceMs: number,
): Promise<{ readonly noted: Promise<void> } | undefined> {
  if (log.place !== undefined || log.doubt !== null) return undefined;
  const doubt = { why: "its data was restored from a backup", sinceMs };
  const noted = new Promise<void>((resolve, reject) => {
    log.saveDoubt(doubt, (failure) => (failure === undefined ? resolve() : reject(failure)));
  });
  // A full disk keeps nobody from opening the log.
  if (log.stall === undefined) await noted;
  return { noted };
}
