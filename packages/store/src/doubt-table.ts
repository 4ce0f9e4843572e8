import type { LogDoubt } from "@meridian/ports";
import type Database from "better-sqlite3";

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
