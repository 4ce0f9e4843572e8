import { createHash } from "node:crypto";

import type {
  ReceivedState,
  RunningCopy,
  StateCopy,
  StateFolder,
} from "@meridian/log-jetstream/source/log-state";
import { randomIdentity } from "@meridian/runtime";

import type { ProcessClock, World } from "../world.ts";
import { unmadeDisk, PlacedLog, type PlacedDisk } from "./placed-log.ts";

/** A data folder as it survives the death of its process. */
export interface FolderDisk {
  database: PlacedDisk;
  ownEpoch: number | undefined;
}

/** How the folder of one process is made. */
export interface MemoryFolderOptions {
  readonly disk: FolderDisk;
  readonly world: World;
  readonly clock: ProcessClock;
  /** The longest that a commit takes, in milliseconds. */
  readonly commitMs: () => number;
  /** A database was opened. */
  readonly onOpened: (log: PlacedLog) => void;
}

/** The largest piece of a copy that is read at a time. */
const PIECE_BYTES = 6_000;

/** How long a file takes at most, to be read or written as a whole. */
const FILE_MS = 30;

/** A data folder in memory. Its files take time, and a process that dies leaves them as they are. */
export class MemoryFolder implements StateFolder<PlacedLog> {
  readonly name = "a folder in memory";
  readonly #options: MemoryFolderOptions;
  #opened: PlacedLog | undefined;

  constructor(options: MemoryFolderOptions) {
    this.#options = options;
  }

  async open(logId: number): Promise<PlacedLog> {
    const { disk, world, clock, commitMs, onOpened } = this.#options;
    if (this.#opened?.isOpen === true)
      throw new Error("Expected one opening of a database at a time");
    await this.#take();
    if (disk.database.logId === 0) disk.database.logId = logId;
    const schedule = (run: () => void): void => void clock.after(world.between(0, commitMs()), run);
    const log = new PlacedLog(disk.database, randomIdentity(world.random), schedule);
    this.#opened = log;
    onOpened(log);
    return log;
  }

  async setAside(): Promise<void> {
    await this.#take();
    this.#options.disk.database = unmadeDisk();
  }

  async drop(): Promise<void> {
    await this.setAside();
  }

  async receive(): Promise<ReceivedState> {
    const { disk } = this.#options;
    const pieces: Uint8Array[] = [];
    return {
      write: async (data) => void pieces.push(data),
      end: async (isWhole) => {
        await this.#take();
        if (isWhole) disk.database = databaseOf(Buffer.concat(pieces));
      },
    };
  }

  async copy(): Promise<RunningCopy> {
    let isStopped = false;
    const done = this.#take().then((): StateCopy => {
      if (isStopped) throw new Error("The copy was stopped");
      const bytes = bytesOf(this.#options.disk.database);
      return {
        bytes: bytes.byteLength,
        sha256: createHash("sha256").update(bytes).digest("hex"),
        read: async (at, bytesMax) => bytes.subarray(at, at + Math.min(PIECE_BYTES, bytesMax)),
        remove: async () => {},
      };
    });
    done.catch(() => {});
    return {
      done,
      stop: async () => {
        isStopped = true;
      },
    };
  }

  async ownEpoch(): Promise<number | undefined> {
    return this.#options.disk.ownEpoch;
  }

  async noteEpoch(epoch: number): Promise<void> {
    await this.#take();
    this.#options.disk.ownEpoch = epoch;
  }

  /** Waits for the disk. */
  #take(): Promise<void> {
    const { clock, world } = this.#options;
    return new Promise((resolve) => void clock.after(world.between(0, FILE_MS), resolve));
  }
}

/** A database as bytes: the same for the same database, which those of the serializer of V8 are not. */
function bytesOf(database: PlacedDisk): Uint8Array {
  const words = JSON.stringify(database, function (this: Record<string, unknown>, key, value) {
    const member = this[key];
    if (member instanceof Map) return { map: [...member] };
    if (member instanceof Uint8Array) return { bytes: Buffer.from(member).toString("base64") };
    return value as unknown;
  });
  return Buffer.from(words);
}

function databaseOf(bytes: Uint8Array): PlacedDisk {
  return JSON.parse(Buffer.from(bytes).toString(), (_, value: unknown) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
    if ("map" in value) return new Map(value.map as [unknown, unknown][]);
    if ("bytes" in value) return new Uint8Array(Buffer.from(String(value.bytes), "base64"));
    return value;
  }) as PlacedDisk;
}
