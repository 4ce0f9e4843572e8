import type { Metrics } from "@meridian/runtime";

import { diskBytes } from "./disk.ts";
import type { StoreStats } from "./store-stats.ts";

/** A store whose numbers are told. */
export interface MeasuredStore {
  /** The database's file. */
  readonly path: string;
  stats(): StoreStats;
  /** Whether something is refused, or waits, because the disk takes no more. */
  isShort(): boolean;
  /** Whether the database was found to be damaged. */
  isDamaged(): boolean;
}

/** Registers how large a store is, what it has to do, and what room its disk has. */
export function registerStore(metrics: Metrics, store: MeasuredStore): void {
  const { path } = store;
  // Whoever reads one of these numbers reads all of them, and one look at a store that is being filled takes milliseconds.
  let now: StoreStats | undefined;
  const stats = (): StoreStats => {
    if (now === undefined) queueMicrotask(() => (now = undefined));
    return (now ??= store.stats());
  };
  const told = (name: string, help: string, of: (now: StoreStats) => number | null): void =>
    metrics.gauge(name, help, () => of(stats()) ?? undefined);
  const size = "The size of the database's files.";
  metrics.gauge("meridian_store_file_bytes", size, () => stats().databaseBytes, {
    file: "database",
  });
  metrics.gauge("meridian_store_file_bytes", size, () => stats().walBytes, { file: "wal" });
  told(
    "meridian_store_entries",
    "Keys, tombstones and expired ones included.",
    (now) => now.entries,
  );
  told(
    "meridian_store_unfolded_bytes",
    "Entries that are durable and not yet in the table.",
    (now) => now.unfoldedBytes,
  );
  told("meridian_store_pending_bytes", "What is not durable yet.", (now) => now.pendingBytes);
  const short = "1 while the disk, or its bound, takes no more.";
  metrics.gauge("meridian_store_short", short, () => (store.isShort() ? 1 : 0));
  const damaged = "1 once the database was found to be damaged.";
  metrics.gauge("meridian_store_damaged", damaged, () => (store.isDamaged() ? 1 : 0));
  const room = "What is free on the disk of the data folder.";
  metrics.gauge("meridian_disk_free_bytes", room, () => diskBytes(path)?.freeBytes);
  const whole = "How large the disk of the data folder is.";
  metrics.gauge("meridian_disk_size_bytes", whole, () => diskBytes(path)?.sizeBytes);
}
