import Database from "better-sqlite3";

/**
 * Has the same effect on a program as a stalled disk: its store cannot commit, because this function holds the write lock of
 * its database. Returns a function that releases the lock.
 */
export function stallDisk(path: string): () => void {
  const database = new Database(path);
  database.exec("BEGIN IMMEDIATE");
  return () => database.close();
}
