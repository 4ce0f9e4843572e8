import { open, readFile, rename, rm, writeFile } from "node:fs/promises";

import {
  openDirectoryLog,
  startSnapshot,
  type SqliteDirectoryLog,
  type StoreOptions,
} from "@meridian/store";

import type { ReceivedState, RunningCopy, StateCopy, StateFolder } from "./log-state.ts";

/** What the names of the files of a database end with. */
const SUFFIXES = ["", "-wal", "-shm"] as const;

/** A data folder with the SQLite log that is made from a stream. */
export class SqliteFolder implements StateFolder<SqliteDirectoryLog> {
  readonly #store: StoreOptions;

  constructor(store: StoreOptions) {
    this.#store = store;
  }

  get name(): string {
    return this.#store.path;
  }

  open(logId: number): Promise<SqliteDirectoryLog> {
    return openDirectoryLog({ ...this.#store, logId });
  }

  async setAside(): Promise<void> {
    const { path } = this.#store;
    for (const suffix of SUFFIXES) {
      await rename(`${path}${suffix}`, `${path}.set-aside${suffix}`).catch((cause: unknown) => {
        if ((cause as NodeJS.ErrnoException).code !== "ENOENT") throw cause;
      });
    }
  }

  async drop(): Promise<void> {
    const { path } = this.#store;
    for (const suffix of SUFFIXES) await rm(`${path}${suffix}`, { force: true });
  }

  async receive(): Promise<ReceivedState> {
    const { path } = this.#store;
    const part = `${path}-part`;
    for (const left of [`${path}-wal`, `${path}-shm`, part]) await rm(left, { force: true });
    const file = await open(part, "wx", 0o600);
    return {
      write: async (data) => {
        await file.write(data);
      },
      end: async (isWhole) => {
        try {
          if (isWhole) await file.sync();
        } finally {
          await file.close();
        }
        if (isWhole) await rename(part, path);
      },
    };
  }

  async copy(): Promise<RunningCopy> {
    const { path } = this.#store;
    const to = `${path}-snapshot`;
    const running = await startSnapshot({ path, kind: "directory", to }, () => {});
    return {
      done: running.done.then(({ bytes, sha256 }) => copyIn(to, bytes, sha256)),
      stop: () => running.stop(),
    };
  }

  async ownEpoch(): Promise<number | undefined> {
    const own = Number(await readFile(this.#epochFile, "utf8").catch(() => ""));
    return own > 0 ? own : undefined;
  }

  async noteEpoch(epoch: number): Promise<void> {
    await writeFile(this.#epochFile, `${epoch}\n`);
  }

  get #epochFile(): string {
    return `${this.#store.path}-own-epoch`;
  }
}

/** The copy of a database in a file. */
async function copyIn(path: string, bytes: number, sha256: string): Promise<StateCopy> {
  const file = await open(path);
  return {
    bytes,
    sha256,
    read: async (at, bytesMax) => {
      const piece = Buffer.alloc(bytesMax);
      const { bytesRead } = await file.read(piece, 0, bytesMax, at);
      return piece.subarray(0, bytesRead);
    },
    remove: async () => {
      await file.close();
      await rm(path, { force: true });
    },
  };
}
