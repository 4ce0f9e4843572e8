/**
 * The backup of a program that runs. It is taken in the data folder first and fetched from there piece by piece: so it is of one moment however slowly it is
 * fetched, fetching can go on where it broke off, and nobody who fetches holds up what is written. There is one at a time, and
 * it goes when nobody has asked for it for a while. Another takes its place once nobody holds it, or, if nobody ever did, once nobody has asked for a minute.
 */
import { rmSync } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";

import { asMeridianError, MeridianError } from "@meridian/protocol";
import type { BackupReport } from "@meridian/protocol/http-api";
import { randomIdentity, type Clock, type Logger, type Random } from "@meridian/runtime";

import type { StoreKind } from "../schema.ts";
import type { SnapshotFacts } from "./snapshot.ts";
import { startSnapshot, type RunningSnapshot } from "./snapshot-thread.ts";

/** What is backed up, and for whom. */
export interface LiveBackupOptions {
  /** The database of the store, which is open. */
  readonly path: string;
  readonly kind: StoreKind;
  /** The version of the program. */
  readonly version: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** A backup goes when nobody has asked for it for so long, in milliseconds. */
const KEEP_MS = 10 * 60_000;

/** One that nobody has held, and that was asked for so recently, is still being fetched, in milliseconds. */
const BUSY_MS = 60_000;

/** What one request gets of it at most, in bytes, and how many requests are read for at once. */
const PIECE_BYTES = 1024 * 1024;
const READS_MAX = 4;

interface Current {
  readonly id: string;
  readonly takenAtMs: number;
  copied: number;
  of: number;
  askedAtMs: number;
  /** How many hold it; undefined if nobody ever did. */
  holders?: number;
  facts?: SnapshotFacts;
  failure?: MeridianError;
  /** Settled once its thread runs. */
  snapshot?: Promise<RunningSnapshot>;
  file?: Promise<FileHandle>;
  cancel?: () => void;
}

/** Takes backups of a store, and hands them out. */
export class LiveBackup {
  readonly #options: LiveBackupOptions;
  readonly #path: string;
  #current: Current | undefined;
  /** Settled once nothing is left of the backups that went: all are made in the same file. */
  #gone: Promise<void> = Promise.resolve();
  #reads = 0;

  constructor(options: LiveBackupOptions) {
    this.#options = options;
    this.#path = `${options.path}-backup`;
  }

  /** Removes what a process that died has left. */
  clear(): void {
    for (const end of ["", "-journal", "-wal", "-shm"]) {
      rmSync(`${this.#path}${end}`, { force: true });
    }
  }

  /** Begins a backup of what is durable now, in the place of one that nobody fetches any more. Throws `OVERLOADED` while there is another. */
  async start(): Promise<BackupReport> {
    const { clock, random } = this.#options;
    const before = this.#current;
    if (before !== undefined && this.#isBusy(before)) {
      throw new MeridianError(
        "OVERLOADED",
        `Expected no other backup to be made or fetched, got one of ${new Date(before.takenAtMs).toISOString()}; \`DELETE /backup\` drops it`,
      );
    }
    const current: Current = {
      id: randomIdentity(random).toString(36),
      takenAtMs: clock.nowMs(),
      copied: 0,
      of: 0,
      askedAtMs: clock.elapsedMs(),
    };
    this.#current = current;
    // What cannot be removed now hinders the new one, which says so.
    if (before !== undefined) this.#clearAway(before).catch(() => {});
    current.snapshot = this.#begin(current);
    void this.#finish(current, current.snapshot);
    await current.snapshot;
    return this.#reportOf(current);
  }

  /** How the backup stands. Throws `BACKUP_NOT_FOUND` where there is none. */
  report(): BackupReport {
    return this.#reportOf(this.#known());
  }

  /** The bytes of its database from a place on, as many as one answer may have; none at its end. Rejects with `BACKUP_NOT_FOUND`, or `OVERLOADED` where many read already. */
  async read(id: string, from: number): Promise<Uint8Array> {
    const current = this.#known(id);
    const { facts } = current;
    if (facts === undefined) throw notFound("a backup that is ready");
    if (this.#reads >= READS_MAX) {
      throw new MeridianError("OVERLOADED", `Expected at most ${READS_MAX} readers of a backup`);
    }
    this.#touch(current);
    const length = Math.min(PIECE_BYTES, Math.max(0, facts.bytes - from));
    this.#reads += 1;
    try {
      const file = await this.#open(current);
      const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, from);
      return buffer.subarray(0, bytesRead);
    } catch (cause) {
      if (this.#current !== current) throw notFound("a backup");
      throw cause;
    } finally {
      this.#reads -= 1;
    }
  }

  /** Throws `BACKUP_NOT_FOUND` unless the backup has that id. */
  check(id: string): void {
    this.#known(id);
  }

  /** Says that a backup is being fetched, until what is returned is called. Throws `BACKUP_NOT_FOUND`. */
  hold(id: string): () => void {
    const current = this.#known(id);
    current.holders = (current.holders ?? 0) + 1;
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      current.holders = (current.holders ?? 0) - 1;
    };
  }

  /** Drops the backup. Rejects with `BACKUP_NOT_FOUND` where there is none. */
  async drop(): Promise<BackupReport> {
    const current = this.#known();
    const report = this.#reportOf(current);
    await this.#end(current);
    this.#options.logger.info("a backup was dropped", { backup: current.id });
    return report;
  }

  /** Stops what is under way, and removes the backup. */
  async stop(): Promise<void> {
    if (this.#current !== undefined) await this.#end(this.#current);
  }

  /** Opens the file once for all who read of it. */
  #open(current: Current): Promise<FileHandle> {
    current.file ??= open(this.#path).catch((cause: unknown) => {
      delete current.file;
      throw cause;
    });
    return current.file;
  }

  async #begin(current: Current): Promise<RunningSnapshot> {
    const { logger, path, kind } = this.#options;
    await this.#gone;
    logger.info("a backup begins", { backup: current.id });
    return startSnapshot({ path, kind, to: this.#path }, (copied, of) => {
      [current.copied, current.of] = [copied, of];
    });
  }

  #end(current: Current): Promise<void> {
    if (this.#current === current) this.#current = undefined;
    return this.#clearAway(current);
  }

  /** Stops a backup that is not the current one any more, and removes its files. */
  #clearAway(current: Current): Promise<void> {
    const before = this.#gone;
    const going = (async () => {
      await before;
      await close(current);
      this.clear();
    })();
    this.#gone = going.catch(() => {});
    return going;
  }

  /** Ends a backup that nobody fetches any more. Never rejects: a disk that fails now must not end the program. */
  async #expire(current: Current): Promise<void> {
    try {
      await this.#end(current);
    } catch (cause) {
      const { message } = asMeridianError(cause);
      this.#options.logger.warn("the files of a backup could not be removed", { why: message });
    }
  }

  async #finish(current: Current, snapshot: Promise<RunningSnapshot>): Promise<void> {
    const { logger } = this.#options;
    const fields = { backup: current.id };
    try {
      current.facts = await (await snapshot).done;
      logger.info("a backup is ready", { ...fields, bytes: current.facts.bytes });
    } catch (cause) {
      const failure = asMeridianError(cause);
      current.failure = failure;
      if (this.#current !== current) return;
      logger.error("a backup failed", { ...fields, code: failure.code, why: failure.message });
    }
    if (this.#current === current) this.#touch(current);
  }

  #known(id?: string): Current {
    const current = this.#current;
    if (current === undefined || (id !== undefined && id !== current.id)) {
      throw notFound(id === undefined ? "a backup" : `backup \`${id.slice(0, 32)}\``);
    }
    return current;
  }

  #isBusy({ askedAtMs, holders, facts, failure }: Current): boolean {
    if (failure !== undefined) return false;
    if (holders !== undefined) return holders > 0;
    return facts === undefined || this.#options.clock.elapsedMs() - askedAtMs < BUSY_MS;
  }

  /** It is kept a while longer. */
  #touch(current: Current): void {
    const { clock } = this.#options;
    current.askedAtMs = clock.elapsedMs();
    current.cancel?.();
    current.cancel = clock.after(KEEP_MS, () => void this.#expire(current));
  }

  #reportOf({ id, takenAtMs, copied, of, facts, failure }: Current): BackupReport {
    const { kind, version } = this.#options;
    const state = failure !== undefined ? "failed" : facts === undefined ? "copying" : "ready";
    return {
      id,
      kind,
      version,
      takenAtMs,
      state,
      done: facts !== undefined ? 1 : of === 0 ? 0 : copied / of,
      failure: failure === undefined ? null : `${failure.code}: ${failure.message}`,
      schema: facts?.schema ?? null,
      bytes: facts?.bytes ?? null,
      sha256: facts?.sha256 ?? null,
    };
  }
}

async function close(current: Current): Promise<void> {
  current.cancel?.();
  // One whose thread did not start has nothing to stop.
  const snapshot = await current.snapshot?.catch(() => undefined);
  await snapshot?.stop();
  const file = await current.file?.catch(() => undefined);
  await file?.close();
}

function notFound(expected: string): MeridianError {
  return new MeridianError("BACKUP_NOT_FOUND", `Expected ${expected}, got none`);
}
