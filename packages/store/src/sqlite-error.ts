import { MeridianError, type ErrorCode } from "@meridian/protocol";

/** Told each time that a database turns out to be damaged. */
export type OnDamaged = (failure: MeridianError) => void;

/** The error that a failure of SQLite means to Meridian. Returns a `MeridianError` unchanged. */
export function asStoreError(cause: unknown, doing: string): MeridianError {
  if (cause instanceof MeridianError) return cause;
  const said = cause instanceof Error ? cause.message : String(cause);
  return new MeridianError(codeOf(sqliteCodeOf(cause)), `Could not ${doing}: ${said}`, { cause });
}

/** The extended result code of a failure of SQLite, such as `SQLITE_FULL`; empty for any other failure. */
export function sqliteCodeOf(cause: unknown): string {
  if (!(cause instanceof Error) || !("code" in cause)) return "";
  return typeof cause.code === "string" ? cause.code : "";
}

/** Growing the index of the write-ahead log fails with a code of its own. */
const FULL_CODES: ReadonlySet<string> = new Set(["SQLITE_FULL", "SQLITE_IOERR_SHMSIZE", "ENOSPC"]);

function codeOf(sqliteCode: string): ErrorCode {
  if (FULL_CODES.has(sqliteCode)) return "STORE_FULL";
  if (sqliteCode.startsWith("SQLITE_CORRUPT") || sqliteCode === "SQLITE_NOTADB") {
    return "STORE_CORRUPT";
  }
  return "STORE_FAILED";
}
