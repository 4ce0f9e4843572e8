import { MeridianError } from "@meridian/protocol";
import Database from "better-sqlite3";
import { diskErrno } from "./disk.ts";
import { asStoreError, sqliteCodeOf } from "./store-error.ts";

/** The exclusive use of a database, held until `release` or the death of the process. */
export interface StoreLock {
  release(): void;
}

/**
 * Takes the lock of the database at `path`: an exclusive SQLite lock on an empty file beside it, because the kernel
 * drops such a lock with the process that holds it, and because SQLite also keeps two connections of one
 * process apart. Throws `STORE_IN_USE` if another holds it.
 */
export function lockStore(path: string): StoreLock {
  const lockPath = `${path}.lock`;
  let lock: Database.Database | undefined;
  try {
    lock = new Database(lockPath, { timeout: 0 });
    lock.exec("BEGIN EXCLUSIVE");
  } catch (cause) {
    lock?.close();
    if (sqliteCodeOf(cause).startsWith("SQLITE_BUSY")) {
      throw new MeridianError(
        "STORE_IN_USE",
        `Expected to be the only user of ${path}, but another process has it open`,
        { details: { path }, cause },
      );
    }
    throw asStoreError(cause, `lock ${path}`, () => diskErrno(path));
  }
  const held = lock;
  return { release: () => void held.close() };
}
