import { readFileSync } from "node:fs";
import { constants } from "node:os";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { MeridianError } from "@meridian/protocol";
import { describe, expect, it } from "vitest";
import { asStoreError, explain, isPassing, troubleOf, type Trouble } from "../src/store-error.ts";

/** The trouble that each result code means if its error number is unknown. All other codes mean `fault`. */
const MEANINGS: Readonly<Record<Exclude<Trouble, "fault">, RegExp>> = {
  busy: /^SQLITE_(BUSY|LOCKED|PROTOCOL)/,
  full: /^SQLITE_(FULL|IOERR_SHMSIZE)$/,
  "read-only": /^SQLITE_(PERM|READONLY(?!_DBMOVED))/,
  failing: /^SQLITE_(NOMEM|IOERR(?!_SHMSIZE|_CORRUPTFS|_DATA)|CANTOPEN)/,
  damaged: /^SQLITE_(CORRUPT|NOTADB|IOERR_CORRUPTFS|IOERR_DATA)/,
};

/** Every error code of the SQLite from which the driver is built, without codes of successes and notices. */
function resultCodes(): string[] {
  const driver = dirname(createRequire(import.meta.url).resolve("better-sqlite3/package.json"));
  const header = readFileSync(join(driver, "deps/sqlite3/sqlite3.h"), "utf8");
  const primary = [...header.matchAll(/^#define (SQLITE_[A-Z]+) +(\d+) +\/\*/gm)]
    .filter(([, , value]) => Number(value) > 0 && Number(value) < 27)
    .map(([, name = ""]) => name);
  const extended = [...header.matchAll(/^#define (SQLITE_[A-Z0-9_]+) +\((SQLITE_[A-Z]+) *\|/gm)]
    .filter(([, , base = ""]) => primary.includes(base))
    .map(([, name = ""]) => name);
  return [...primary, ...extended];
}

function failure(code: string): Error {
  return Object.assign(new Error("it went wrong"), { code });
}

/** An error of the file system. Node.js does not always know the name of its number. */
function fileFailure(errno: "EACCES" | "EDQUOT"): Error {
  return Object.assign(new Error("it went wrong"), { errno: -constants.errno[errno] });
}

describe("the trouble of a failure", () => {
  it("is known for each result code of SQLite", () => {
    const codes = resultCodes();
    expect(codes.length).toBeGreaterThan(80);
    const wrong = codes.filter((code) => {
      const expected = Object.entries(MEANINGS).find(([, codesOf]) => codesOf.test(code));
      return troubleOf(code) !== (expected?.[0] ?? "fault");
    });
    expect(wrong).toEqual([]);
  });

  const behind: readonly (readonly [errno: string, trouble: Trouble])[] = [
    ["ENOSPC", "full"],
    ["EDQUOT", "full"],
    ["EFBIG", "full"],
    ["EROFS", "read-only"],
    ["EACCES", "read-only"],
    ["EPERM", "read-only"],
    ["EIO", "failing"],
    ["ENODEV", "failing"],
  ];
  it.each(behind)("is that of %s if an I/O error has this error number", (errno, trouble) => {
    const wrong = resultCodes().filter((code) => {
      const isVague = /^SQLITE_(IOERR|CANTOPEN)/.test(code) && troubleOf(code) !== "damaged";
      // ENODEV says no more than the code, so the trouble is that of the code.
      const counts = isVague && errno !== "ENODEV";
      return troubleOf(code, errno) !== (counts ? trouble : troubleOf(code));
    });
    expect(wrong).toEqual([]);
    expect(troubleOf("", errno)).toBe(trouble);
  });

  it("is reported with the error number in words, and with a code for clients", () => {
    const failed = explain(failure("SQLITE_IOERR_WRITE"), "commit", () => "EDQUOT");
    expect(failed.error).toMatchObject({ code: "STORE_FULL", retryable: true });
    expect(failed.error.message).toBe(
      "Could not commit: the quota of this user is used up (EDQUOT)",
    );
    const readOnly = asStoreError(failure("SQLITE_CANTOPEN"), "open /d/region.db", () => "EROFS");
    expect(readOnly).toMatchObject({ code: "STORE_READ_ONLY" });
    expect(readOnly.message).toMatch(/the file system is read-only \(EROFS\)/);
    expect(asStoreError(failure("SQLITE_BUSY"), "commit")).toMatchObject({ code: "OVERLOADED" });
    expect(asStoreError(fileFailure("EACCES"), "open").code).toBe("STORE_READ_ONLY");
    expect(asStoreError(fileFailure("EDQUOT"), "open").code).toBe("STORE_FULL");
    expect(asStoreError(failure("SQLITE_CORRUPT_VTAB"), "read").code).toBe("STORE_CORRUPT");
    const own = new MeridianError("STORE_WRONG_KIND", "Expected a replica");
    expect(asStoreError(own, "open")).toBe(own);
  });

  it("passes unless the file or this program is wrong", () => {
    const troubles = ["busy", "full", "read-only", "failing", "damaged", "fault"] as const;
    expect(troubles.filter(isPassing)).toEqual(["busy", "full", "read-only", "failing"]);
  });
});
