import { existsSync } from "node:fs";

import type { MeridianError } from "@meridian/protocol";
import { randomIdentity } from "@meridian/runtime";
import type Database from "better-sqlite3";
import { diskBytes, diskErrno, type DiskBytes } from "./disk.ts";
import { isRestored, removeRestoreMark, tellRestored } from "./backup/restore-mark.ts";
import { makeReadOnly, openDatabaseFile, type DatabaseFile } from "./database-file.ts";
import type { StoreKind } from "./schema.ts";
import { asStoreError, type OnDamaged } from "./store-error.ts";
import { STORE_TUNING_DEFAULT, type StoreOptions } from "./store-options.ts";
import { fileBytes, type StoreStats } from "./store-stats.ts";
import { startWriterThread, WriterClient, type WriterEvents } from "./writer-client.ts";
import type { JournalWrite } from "./writer-messages.ts";

/** How a store is opened. */
export interface Preparation<Store, Write extends JournalWrite, Facts> {
  /** Runs in the transaction that creates the database. */
  readonly setUp: (database: Database.Database) => void;
  readonly make: (parts: StoreParts<Write, Facts>) => Store;
  /** Reads what the store keeps in memory, in steps. Nothing is written before it is done. */
  readonly load: (store: Store) => Promise<void>;
  /** Runs when the store can be written; it is open when this is done. `wasRestored`: its database comes from a backup, and nothing durable says so yet but its mark. */
  readonly begin?: (store: Store, wasRestored: boolean) => Promise<Begun | void>;
}

/** A store that was begun. */
interface Begun {
  /** Resolves once the database says what a restore means for it. On a full disk that may be long after it was opened, and a process may die before. */
  readonly noted: Promise<void>;
}

/** What both stores are made of: a database that is ours alone, read by this thread and written by another. */
export class StoreParts<Write extends JournalWrite, Facts> {
  readonly database: Database.Database;
  readonly onDamaged: OnDamaged | undefined;
  readonly onBroken: (failure: MeridianError) => void;
  readonly #file: DatabaseFile;
  readonly #connect: (events: WriterEvents<Facts>) => WriterClient<Write, Facts>;
  #writer: WriterClient<Write, Facts> | undefined;
  #closed: Promise<void> | undefined;

  constructor(
    file: DatabaseFile,
    options: StoreOptions,
    connect: (events: WriterEvents<Facts>) => WriterClient<Write, Facts>,
  ) {
    this.database = file.database;
    this.onDamaged = options.onDamaged;
    this.onBroken = options.onBroken ?? (() => {});
    this.#file = file;
    this.#connect = connect;
  }

  /** The writer, which tells its news to `events`. To be called once. */
  connect(events: WriterEvents<Facts>): WriterClient<Write, Facts> {
    this.#writer = this.#connect(events);
    return this.#writer;
  }

  /** Resolves when there is a writer that has the database open. */
  async open(): Promise<void> {
    await this.#writer?.open();
  }

  /** Plain numbers that do not depend on the kind of store. */
  stats(): Omit<StoreStats, "entries" | "unfoldedEntries" | "unfoldedBytes" | "purging"> {
    const { journalRows = 0, pendingRecords = 0, pendingBytes = 0 } = this.#writer ?? {};
    return {
      journalRows,
      pendingRecords,
      pendingBytes,
      databaseBytes: fileBytes(this.#file.path),
      walBytes: fileBytes(`${this.#file.path}-wal`),
      failed: this.#writer?.isBroken ?? false,
    };
  }

  /** The disk of the database; undefined if the platform does not say. */
  disk(): DiskBytes | undefined {
    return diskBytes(this.#file.path);
  }

  /** Finishes what was appended, calls `onFinished`, then lets go of the files. */
  close(onFinished: () => void = () => {}): Promise<void> {
    this.#closed ??= (this.#writer?.close() ?? Promise.resolve()).then(() => {
      onFinished();
      this.#release();
    });
    return this.#closed;
  }

  /** Stops at once: what is not durable is given up, without a call of its `done`. */
  abort(): Promise<void> {
    this.#closed ??= (this.#writer?.abort() ?? Promise.resolve()).then(() => this.#release());
    return this.#closed;
  }

  #release(): void {
    this.#file.database.close();
    this.#file.lock.release();
  }
}

/** Opens or creates the database of a store and starts its writer; throws a store's errors, having let go of everything. */
export async function openStore<Store, Write extends JournalWrite, Facts>(
  kind: StoreKind,
  options: StoreOptions,
  { setUp, make, load, begin }: Preparation<Store, Write, Facts>,
): Promise<Store> {
  const worker = await startWriterThread();
  let file: DatabaseFile | undefined;
  try {
    // The mark of a database that somebody has removed since.
    if (!existsSync(options.path)) removeRestoreMark(options.path);
    // The thread comes up while this one opens the database.
    file = openDatabaseFile(options.path, kind, setUp, options.logger);
    makeReadOnly(file.database);
    const parts = new StoreParts<Write, Facts>(file, options, (events) => {
      const tuning = { ...STORE_TUNING_DEFAULT, ...options.tuning };
      const { path, durability, clock, expiryNowMs = () => clock.nowMs() } = options;
      const { bytesMax = 0 } = options;
      const redoNonce = tuning.redo ? randomIdentity(options.random) : 0;
      const request = {
        kind: "open",
        path,
        store: kind,
        durability,
        bytesMax,
        tuning,
        redoNonce,
      } as const;
      return new WriterClient(worker, request, { ...options, events, expiryNowMs });
    });
    const store = make(parts);
    await load(store);
    await parts.open();
    const begun = await begin?.(store, isRestored(options.path));
    tellRestored(options.path, options.logger);
    // The next opening finds the mark again if this one cannot make the note.
    const forget = (): void => removeRestoreMark(options.path);
    if (begun === undefined) forget();
    else begun.noted.then(forget, () => {});
    return store;
  } catch (cause) {
    await worker.terminate();
    file?.database.close();
    file?.lock.release();
    throw asStoreError(cause, `open ${options.path}`, () => diskErrno(options.path));
  }
}
