/** What the store does with the file system itself, beside what SQLite does with it. */
import { randomBytes } from "node:crypto";
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  rmSync,
  statfsSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname, resolve } from "node:path";
import { errnoOf } from "./errno.ts";
import { fileBytes } from "./store-stats.ts";

/** What a probe writes, in bytes. */
const PROBE_BYTES = 64 * 1024;

/** What opening a database takes: the index of its write-ahead log, and a few pages of that. */
const RESERVE_BYTES = 256 * 1024;

/** It is kept where there is so much more. */
const AMPLE_BYTES = 16 * RESERVE_BYTES;

/**
 * Makes a folder and those above it. Node's own way says that a read-only disk has no such file, and never ends below
 * `/proc`.
 */
export function makeFolder(path: string): void {
  const missing: string[] = [];
  for (let at = resolve(path); !existsSync(at); at = dirname(at)) missing.push(at);
  for (const folder of missing.toReversed()) {
    // Another process may make it at the same moment.
    if (!existsSync(folder)) mkdirSync(folder);
  }
}

/**
 * The error number with which the disk refuses to take `bytes` more from the database at `path`, or undefined if it takes them. They
 * are written to a file beside it, at the place where its largest file ends, for there the limit on the size of files
 * is met.
 */
export function diskErrno(path: string, bytes: number = PROBE_BYTES): string | undefined {
  const probe = `${path}-probe`;
  let file: number | undefined;
  try {
    file = openSync(probe, "w");
    const end = Math.max(fileBytes(path), fileBytes(`${path}-wal`));
    const chunk = Buffer.alloc(Math.min(bytes, PROBE_BYTES), 1);
    for (let at = 0; at < bytes; at += chunk.byteLength) writeAll(file, chunk, end + at);
    fsyncSync(file);
    return undefined;
  } catch (cause) {
    return errnoOf(cause) ?? "EIO";
  } finally {
    if (file !== undefined) closeQuietly(file);
    removeQuietly(probe);
  }
}

/** A disk, in bytes. */
export interface DiskBytes {
  /** What may still be written. */
  readonly freeBytes: number;
  readonly sizeBytes: number;
}

/** How large the disk of the file at `path` is; undefined if the platform does not say. */
export function diskBytes(path: string): DiskBytes | undefined {
  try {
    const { bavail, blocks, bsize } = statfsSync(dirname(path));
    return blocks > 0 ? { freeBytes: bavail * bsize, sizeBytes: blocks * bsize } : undefined;
  } catch {
    return undefined;
  }
}

/** The room that is kept for opening the database at `path` when there is no other. */
export class OpeningReserve {
  readonly #path: string;

  constructor(path: string) {
    this.#path = `${path}-reserve`;
  }

  /** Takes the room, if it is not taken and there is enough of it. */
  take(): void {
    if (existsSync(this.#path)) return;
    try {
      const { bavail, blocks, bsize } = statfsSync(dirname(this.#path));
      if (blocks > 0 && bavail * bsize < AMPLE_BYTES) return;
      const file = openSync(this.#path, "wx");
      try {
        // Random, because there are file systems that keep nothing of what repeats itself.
        writeAll(file, randomBytes(RESERVE_BYTES), 0);
      } finally {
        closeSync(file);
      }
    } catch {
      removeQuietly(this.#path);
    }
  }

  /** Gives the room back. Returns whether there was any. */
  give(): boolean {
    if ((statSync(this.#path, { throwIfNoEntry: false })?.size ?? 0) === 0) return false;
    removeQuietly(this.#path);
    return !existsSync(this.#path);
  }
}

function writeAll(file: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.byteLength;) {
    done += writeSync(file, bytes, done, bytes.byteLength - done, position + done);
  }
}

function closeQuietly(file: number): void {
  try {
    closeSync(file);
  } catch {
    // A disk that fails may fail here, too.
  }
}

function removeQuietly(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // What is left is written over, or taken for what it is, the next time.
  }
}
