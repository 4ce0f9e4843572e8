import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seededRandom, silentLogger, systemClock } from "@meridian/runtime";
import type { StoreOptions, StoreStats, StoreTuning } from "@meridian/store";
import Database from "better-sqlite3";

/** How many random histories a contract suite tries. `npm run hunt:stores` tries many more. */
export const HISTORIES = Number(process.env["STORE_HISTORIES"] ?? 10);

/** A temporary folder for the databases of one test file. */
export class StoreFolder {
  readonly path: string = mkdtempSync(join(tmpdir(), "meridian-store-"));
  #seed = 0;

  /** Options for the database `name`. */
  options(name: string, tuning: Partial<StoreTuning> = {}): StoreOptions {
    this.#seed += 1;
    return {
      path: this.file(name),
      durability: "process",
      clock: systemClock,
      random: seededRandom(this.#seed),
      logger: silentLogger,
      tuning,
    };
  }

  file(name: string): string {
    return join(this.path, name, "store.db");
  }

  /** Takes the write lock of the database `name`, as another program may. Returns a function that releases it. */
  hold(name: string): () => void {
    const database = new Database(this.file(name));
    database.exec("BEGIN IMMEDIATE");
    return () => database.close();
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** How long `until` waits for the writer thread, in milliseconds: long, because the machine may be busy. */
const PATIENCE_MS = 30_000;

/** Resolves when `isTrue` returns true after work of the writer thread. */
export async function until(isTrue: () => boolean): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!isTrue()) {
    if (performance.now() > deadline) throw new Error("Expected the writer thread to get there");
    // Asking again at once would take processor time from the thread.
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** Resolves when the store has folded everything. */
export async function folded(store: { stats(): StoreStats }): Promise<void> {
  await until(() => {
    const { unfoldedEntries, pendingRecords, failed } = store.stats();
    if (failed) throw new Error("The writer has died");
    return unfoldedEntries === 0 && pendingRecords === 0;
  });
}

/** Resolves when the store has folded everything, and purged everything that it may. */
export async function purged(store: { stats(): StoreStats }): Promise<void> {
  await folded(store);
  await until(() => !store.stats().purging);
}
