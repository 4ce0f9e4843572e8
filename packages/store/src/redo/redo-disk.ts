/** What redo files need of the file system. All of it runs in the pool of libuv: a disk that hangs holds up nobody who does not wait for it. */
import { close, constants, fdatasync, fsync, ftruncate, open, rm, write } from "node:fs";
import { dirname } from "node:path";

/** Called with what went wrong, if anything did. */
export type OnDone = (failure: Error | null) => void;

/** The file system, or a test's. */
export interface RedoDisk {
  /** Opens an empty file, which outlives a loss of power if `isLasting`. */
  open(path: string, isLasting: boolean, done: (failure: Error | null, file: number) => void): void;
  /** Writes all of the bytes at a place of the file. */
  write(file: number, bytes: Uint8Array, at: number, done: OnDone): void;
  /** Whether what is written to a file that was opened as a lasting one outlives a loss of power without `sync`. Default: false. */
  readonly syncsWrites?: boolean;
  /** Has what was written outlive a loss of power. */
  sync(file: number, done: OnDone): void;
  truncate(file: number, bytes: number, done: OnDone): void;
  close(file: number, done: OnDone): void;
  remove(path: string, done: OnDone): void;
}

/** On Linux, a write to a file that was opened so is done once it is synced as by `fdatasync`. Elsewhere it may only be in a disk's own memory then. */
const SYNCED = process.platform === "linux" ? constants.O_DSYNC : undefined;

const EMPTY = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC;

/** The file system of the platform. */
export const platformDisk: RedoDisk = {
  syncsWrites: SYNCED !== undefined,
  open: (path, isLasting, done) => {
    open(path, EMPTY | (isLasting ? (SYNCED ?? 0) : 0), (failure, file) => {
      if (failure !== null || !isLasting) return done(failure, file);
      syncFolder(dirname(path), (unsynced) => done(unsynced, file));
    });
  },
  write: writeAll,
  sync: (file, done) => fdatasync(file, done),
  truncate: (file, bytes, done) => ftruncate(file, bytes, done),
  close: (file, done) => close(file, (failure) => done(failure ?? null)),
  remove: (path, done) => rm(path, { force: true }, done),
};

function writeAll(file: number, bytes: Uint8Array, at: number, done: OnDone): void {
  write(file, bytes, 0, bytes.byteLength, at, (failure, written) => {
    if (failure !== null || written === bytes.byteLength) return done(failure);
    // A disk that takes a part says with the next attempt why it does not take the rest.
    if (written === 0) return done(new Error("The disk has taken nothing"));
    writeAll(file, bytes.subarray(written), at + written, done);
  });
}

function syncFolder(path: string, done: OnDone): void {
  open(path, "r", (failure, folder) => {
    if (failure !== null) return done(failure);
    fsync(folder, (unsynced) => close(folder, () => done(unsynced)));
  });
}
