/**
 * What a failure of SQLite or of the file system means: the one place that says so.
 *
 * SQLite has its own code for a full disk only where the error number was `ENOSPC`. A quota (`EDQUOT`) or a limit on the size of files
 * (`EFBIG`) is `SQLITE_IOERR_WRITE`, as a broken disk is, and a read-only file system is `SQLITE_CANTOPEN`. The driver does not
 * tell the error number, so it is found out by doing the same again: see `diskErrno`.
 */
import { MeridianError, type ErrorCode } from "@meridian/protocol";
import { errnoOf } from "./errno.ts";

/** Told each time that a database turns out to be damaged. */
export type OnDamaged = (failure: MeridianError) => void;

/**
 * What a failure means for whoever has to go on.
 * - `busy`: another program holds the database; over when that lets it go.
 * - `full`: there is no room, or no more may be used; over when there is room.
 * - `read-only`: the disk, or this user, may only read; over when an operator has changed that.
 * - `failing`: the disk cannot do it now; it may be able to later.
 * - `damaged`: the content of the file is wrong; never over.
 * - `fault`: this program or its database is not what the other expects; doing it again changes nothing.
 */
export type Trouble = "busy" | "full" | "read-only" | "failing" | "damaged" | "fault";

const CODES: Readonly<Record<Trouble, ErrorCode>> = {
  busy: "OVERLOADED",
  full: "STORE_FULL",
  "read-only": "STORE_READ_ONLY",
  failing: "STORE_FAILED",
  damaged: "STORE_CORRUPT",
  fault: "STORE_FAILED",
};

/** What an error number of the operating system means, and how it is said to people. */
const ERRNOS: Readonly<Record<string, readonly [trouble: Trouble, said: string]>> = {
  ENOSPC: ["full", "the disk is full"],
  EDQUOT: ["full", "the quota of this user is used up"],
  EFBIG: ["full", "the file may not grow further (ulimit -f)"],
  EROFS: ["read-only", "the file system is read-only"],
  EACCES: ["read-only", "this user may not write there"],
  EPERM: ["read-only", "this user may not write there"],
  EIO: ["failing", "the disk reports an error"],
};

/** Primary result codes of SQLite. What is not listed is a `fault`. */
const PRIMARY: Readonly<Record<string, Trouble>> = {
  SQLITE_BUSY: "busy",
  SQLITE_LOCKED: "busy",
  SQLITE_PROTOCOL: "busy",
  SQLITE_FULL: "full",
  SQLITE_READONLY: "read-only",
  SQLITE_PERM: "read-only",
  SQLITE_NOMEM: "failing",
  SQLITE_IOERR: "failing",
  SQLITE_CANTOPEN: "failing",
  SQLITE_CORRUPT: "damaged",
  SQLITE_NOTADB: "damaged",
};

/** Extended result codes that mean something else than their primary one. */
const EXTENDED: Readonly<Record<string, Trouble>> = {
  // The file was removed or replaced while it was open.
  SQLITE_READONLY_DBMOVED: "fault",
  // Growing the index of the write-ahead log fails with a code of its own.
  SQLITE_IOERR_SHMSIZE: "full",
  SQLITE_IOERR_CORRUPTFS: "damaged",
  SQLITE_IOERR_DATA: "damaged",
};

/** Codes behind which there may be any error number. */
const AMBIGUOUS = /^SQLITE_(IOERR|CANTOPEN)/;

/** Codes that an error number says more of. */
const INEXACT = /^SQLITE_(IOERR|CANTOPEN|READONLY|FULL)/;

/** A failure, and what it means. */
export interface Explained {
  readonly trouble: Trouble;
  readonly error: MeridianError;
}

/** What a result code of SQLite means, together with the error number behind it where that is known. */
export function troubleOf(sqliteCode: string, errno?: string): Trouble {
  const byErrno = errno === undefined ? undefined : ERRNOS[errno]?.[0];
  if (byErrno !== undefined && (sqliteCode === "" || AMBIGUOUS.test(sqliteCode))) {
    return EXTENDED[sqliteCode] === "damaged" ? "damaged" : byErrno;
  }
  if (errno !== undefined && sqliteCode === "") return "failing";
  const primary = /^SQLITE_[A-Z]+/.exec(sqliteCode)?.[0] ?? "";
  return EXTENDED[sqliteCode] ?? PRIMARY[primary] ?? "fault";
}

/** Whether a failure of that meaning may be over later without anybody changing this program. */
export function isPassing(trouble: Trouble): boolean {
  return trouble !== "damaged" && trouble !== "fault";
}

/**
 * Says what a failure means. `findErrno` finds out the error number behind it, and is asked only where the
 * failure does not say by itself.
 */
export function explain(
  cause: unknown,
  doing: string,
  findErrno: () => string | undefined = () => undefined,
): Explained {
  const sqliteCode = sqliteCodeOf(cause);
  const errno = INEXACT.test(sqliteCode) ? findErrno() : errnoOf(cause);
  const trouble = troubleOf(sqliteCode, errno);
  if (cause instanceof MeridianError) return { trouble: troubleIn(cause), error: cause };
  const message = cause instanceof Error ? cause.message : String(cause);
  const said = errno === undefined ? undefined : (ERRNOS[errno]?.[1] ?? "it cannot be written");
  const why =
    said === undefined ? `${message}${sqliteCode && ` (${sqliteCode})`}` : `${said} (${errno})`;
  const text =
    trouble === "busy"
      ? `Could not ${doing}: another program holds the database; nothing was written`
      : `Could not ${doing}: ${why}`;
  return { trouble, error: new MeridianError(CODES[trouble], text, { cause }) };
}

/** The error that a failure of SQLite means to Meridian. Returns a `MeridianError` unchanged. */
export function asStoreError(
  cause: unknown,
  doing: string,
  findErrno?: () => string | undefined,
): MeridianError {
  return explain(cause, doing, findErrno).error;
}

/** The extended result code of a failure of SQLite, such as `SQLITE_FULL`; empty for any other failure. */
export function sqliteCodeOf(cause: unknown): string {
  if (!(cause instanceof Error) || !("code" in cause)) return "";
  const { code } = cause;
  return typeof code === "string" && code.startsWith("SQLITE_") ? code : "";
}

/** What an error means that was explained before. */
function troubleIn({ code }: MeridianError): Trouble {
  if (code === "STORE_FAILED") return "failing";
  for (const [trouble, one] of Object.entries(CODES)) if (one === code) return trouble as Trouble;
  return "fault";
}
