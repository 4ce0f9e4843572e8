import type { MeridianError } from "@meridian/protocol";
import type { Clock, Logger, Random } from "@meridian/runtime";
import type { Durability } from "./durability.ts";
import type { RedoDisk } from "./redo/redo-disk.ts";
import type { OnDamaged } from "./store-error.ts";

/** How a store is opened. */
export interface StoreOptions {
  /** The database file. Its folder is created if need be; a lock file is kept beside it. */
  readonly path: string;
  readonly durability: Durability;
  readonly clock: Clock;
  /**
   * The time by which expired values are emptied: the cluster's time, or undefined while it is not known, because an emptied value is lost. Default:
   * the clock's.
   */
  readonly expiryNowMs?: (() => number | undefined) | undefined;
  readonly random: Random;
  readonly logger: Logger;
  /**
   * Called once if the writer thread has died. Acknowledged writes are on disk and readable. Nothing more can be written, because this thread does
   * not know which of the last writes were committed. End the process; its supervisor restarts it.
   */
  readonly onBroken?: ((failure: MeridianError) => void) | undefined;
  /**
   * Called with `STORE_CORRUPT` each time that the database turns out to be damaged. More of it may be wrong than was found, so the owner must stop
   * trusting it.
   */
  readonly onDamaged?: OnDamaged;
  /**
   * The largest size of the database, in bytes; 0 or left out: as large as the disk. Clients' sets are refused from about nine
   * tenths of it on, what others wrote from nineteen twentieths on; the rest is for deletes, acknowledgements and folding. The write-ahead
   * log comes on top, with at most `walBytesMax` and what one commit adds, and so do the redo files, with some 24 MiB.
   */
  readonly bytesMax?: number | undefined;
  /** The file system that the redo files are in. Default: the platform's. For tests of disks that fail. */
  readonly redoDisk?: RedoDisk | undefined;
  /** Bounds and switches that few have to touch. */
  readonly tuning?: Partial<StoreTuning>;
}

/** The bounds of a store's work. */
export interface StoreTuning {
  /** Expired values are emptied once they have been expired for this long, in milliseconds. */
  readonly expiredGraceMs: number;
  /** How often the clock is told to the writer thread, which then looks for what is expired or purgeable. */
  readonly sweepEveryMs: number;
  /** The writer thread checkpoints when it is idle and the write-ahead log is larger than this. */
  readonly walIdleBytes: number;
  /** It checkpoints between two commits when the write-ahead log is larger than this. */
  readonly walBytesMax: number;
  /** The directory keeps its newest frames as they came: as many as fit in these bytes, … */
  readonly recentBytesMax: number;
  /** … and have no more than this many entries. */
  readonly recentEntriesMax: number;
  /** The largest size of the database, in pages; 0 for no bound. Beyond it writes fail with `STORE_FULL`. */
  readonly pageCountMax: number;
  /** How long a commit waits for another program that holds the database, in milliseconds. */
  readonly commitWaitMs: number;
  /** Whether small records are made durable in a redo file first, and go into the database in batches. */
  readonly redo: boolean;
  /** For crash tests: the writer thread dies on its n-th step; 0 for never. */
  readonly dieAtStep: number;
}

/** The defaults of `tuning`. */
export const STORE_TUNING_DEFAULT: StoreTuning = {
  expiredGraceMs: 2 * 3_600_000,
  sweepEveryMs: 10_000,
  walIdleBytes: 4 * 1024 * 1024,
  walBytesMax: 16 * 1024 * 1024,
  recentBytesMax: 64 * 1024 * 1024,
  recentEntriesMax: 100_000,
  pageCountMax: 0,
  commitWaitMs: 5_000,
  redo: true,
  dieAtStep: 0,
};
