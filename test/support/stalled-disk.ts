import Database from "better-sqlite3";

/**
 * Stalls the disk of a program, for what that is worth to it: its store can no longer commit, because another process
 * holds the one lock on writing. Returns what ends it.
 */
export function stallDisk(path: string): () => void {
  const database = new Database(path);
  database.exec("BEGIN IMMEDIATE");
  return () => database.close();
}
