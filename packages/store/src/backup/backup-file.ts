/**
 * A backup file: two lines of text, then a database as SQLite has it.
 *
 *     meridian-backup 1 <SHA-256 of the next line without its break, in hex>
 *     {"kind":"replica","bytes":8192,"sha256":"…",…}
 *     <the database>
 *
 * The first line vouches for the second, and the second for the database: no bit of the file can change without being noticed.
 */
import { createHash } from "node:crypto";
import { open, type FileHandle } from "node:fs/promises";

import { MeridianError } from "@meridian/protocol";

import { SCHEMAS, type StoreKind } from "../schema.ts";

/** What a backup says of itself. */
export interface BackupFacts {
  /** Tells it from every other backup. */
  readonly id: string;
  readonly kind: StoreKind;
  /** The version of the program that has made it. */
  readonly version: string;
  /** The version of the database's schema. */
  readonly schema: number;
  /** What was durable then is in it. */
  readonly takenAtMs: number;
  /** The bytes of the database, and their SHA-256 in hex. */
  readonly bytes: number;
  readonly sha256: string;
}

/** A backup file that is open, with its facts and the place where its database begins. */
export interface OpenBackup {
  readonly file: FileHandle;
  readonly facts: BackupFacts;
  readonly start: number;
}

const MAGIC = "meridian-backup 1 ";
const HEAD_BYTES_MAX = 4_096;
const PIECE_BYTES = 1024 * 1024;
const LINE_BREAK = 10;

/** The lines before the database. */
export function encodeBackupHead(facts: BackupFacts): Uint8Array {
  const line = JSON.stringify(facts);
  return Buffer.from(`${MAGIC}${sha256Of(line)}\n${line}\n`);
}

/** Opens a backup file and reads what it says of itself. Rejects with `BACKUP_DAMAGED`, and with `INVALID_ARGUMENT` for a file that cannot be read. */
export async function openBackup(path: string): Promise<OpenBackup> {
  const file = await open(path).catch((cause: unknown) => {
    throw unreadable(path, cause);
  });
  try {
    const { buffer, bytesRead } = await file
      .read(Buffer.alloc(HEAD_BYTES_MAX), 0)
      .catch((cause: unknown) => {
        throw unreadable(path, cause);
      });
    return { file, ...readHead(buffer.subarray(0, bytesRead), path) };
  } catch (cause) {
    await file.close();
    throw cause;
  }
}

function readHead(bytes: Buffer, path: string): Omit<OpenBackup, "file"> {
  if (bytes.toString("latin1", 0, MAGIC.length) !== MAGIC) {
    throw damaged(path, "begins with other bytes than a backup of version 1");
  }
  const first = bytes.indexOf(LINE_BREAK);
  const second = bytes.indexOf(LINE_BREAK, first + 1);
  if (first < 0 || second < 0) throw damaged(path, "ends before it says what it is");
  const line = bytes.toString("utf8", first + 1, second);
  const sum = bytes.toString("latin1", MAGIC.length, first);
  if (sum !== sha256Of(line)) throw damaged(path, "says other things of itself than were written");
  return { facts: factsIn(line, path), start: second + 1 };
}

/** What a fact may be. Whoever can write a file can also make its checksums right. */
const POSSIBLE: { readonly [Fact in keyof BackupFacts]: (value: unknown) => boolean } = {
  id: (value) => isText(value, /^[\w-]{1,100}$/),
  kind: (value) => typeof value === "string" && Object.hasOwn(SCHEMAS, value),
  version: (value) => isText(value, /^[\w.+-]{1,100}$/),
  schema: (value) => isWhole(value, 1, 2 ** 31),
  takenAtMs: (value) => isWhole(value, 0, 8.64e15),
  bytes: (value) => isWhole(value, 1, Number.MAX_SAFE_INTEGER),
  sha256: (value) => isText(value, /^[\da-f]{64}$/),
};

function factsIn(line: string, path: string): BackupFacts {
  let given: unknown;
  try {
    given = JSON.parse(line);
  } catch {
    throw damaged(path, "says nothing of itself that can be read");
  }
  const facts = new Map(Object.entries(typeof given === "object" && given !== null ? given : {}));
  for (const [fact, isPossible] of Object.entries(POSSIBLE)) {
    if (!isPossible(facts.get(fact))) throw damaged(path, `has a \`${fact}\` that cannot be`);
  }
  return given as BackupFacts;
}

function isText(value: unknown, form: RegExp): boolean {
  return typeof value === "string" && form.test(value);
}

function isWhole(value: unknown, min: number, max: number): boolean {
  return Number.isSafeInteger(value) && Number(value) >= min && Number(value) <= max;
}

/** Rejects with `BACKUP_DAMAGED` if a backup has more or fewer bytes than it says. */
export async function checkSize({ file, facts, start }: OpenBackup, path: string): Promise<void> {
  const { size } = await file.stat();
  if (size === start + facts.bytes) return;
  throw damaged(path, `has ${size} bytes instead of ${start + facts.bytes}`);
}

/** Reads the database of a backup piece by piece. Rejects with `BACKUP_DAMAGED` before the end if it is not what it was. */
export async function* piecesOf(
  backup: OpenBackup,
  path: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  await checkSize(backup, path);
  const { file, facts, start } = backup;
  const hash = createHash("sha256");
  for (let at = 0; at < facts.bytes;) {
    const length = Math.min(PIECE_BYTES, facts.bytes - at);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, start + at);
    if (bytesRead === 0) throw damaged(path, "has become shorter");
    const piece = buffer.subarray(0, bytesRead);
    hash.update(piece);
    at += bytesRead;
    yield piece;
  }
  if (hash.digest("hex") !== facts.sha256) throw damaged(path, "holds other data than was written");
}

/** Reads a whole backup file. Rejects with `BACKUP_DAMAGED` if any of it is not what was written. */
export async function verifyBackup(
  path: string,
  onBytes: (bytes: number) => void = () => {},
): Promise<BackupFacts> {
  const backup = await openBackup(path);
  try {
    for await (const piece of piecesOf(backup, path)) onBytes(piece.byteLength);
    return backup.facts;
  } finally {
    await backup.file.close();
  }
}

/** The SHA-256 of a file, in hex. `onPiece` is called for each piece that is read; what it throws is thrown. */
export async function sha256OfFile(path: string, onPiece: () => void = () => {}): Promise<string> {
  const hash = createHash("sha256");
  const file = await open(path);
  try {
    for await (const piece of file.createReadStream({ autoClose: false })) {
      onPiece();
      hash.update(piece as Buffer);
    }
  } finally {
    await file.close();
  }
  return hash.digest("hex");
}

function sha256Of(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

function unreadable(path: string, cause: unknown): MeridianError {
  const why = cause instanceof Error ? cause.message : String(cause);
  const said = `Expected a backup in \`${path}\`: ${why}`;
  return new MeridianError("INVALID_ARGUMENT", said, { cause });
}

/** The error for a file that is no backup as it was written. */
export function damaged(path: string, how: string): MeridianError {
  return new MeridianError(
    "BACKUP_DAMAGED",
    `Expected a backup as it was written, got \`${path}\`, which ${how}; nothing was taken from it`,
    { details: { path } },
  );
}
