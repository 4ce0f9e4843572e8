export {
  encodeBackupHead,
  openBackup,
  verifyBackup,
  type BackupFacts,
  type OpenBackup,
} from "./backup/backup-file.ts";
export { LiveBackup, type LiveBackupOptions } from "./backup/live-backup.ts";
export { restoreBackup, type RestoreRequest } from "./backup/restore-backup.ts";
export { startSnapshot, type RunningSnapshot } from "./backup/snapshot-thread.ts";
export {
  takeSnapshot,
  type OnCopied,
  type SnapshotFacts,
  type SnapshotRequest,
} from "./backup/snapshot.ts";
export {
  openDirectoryLog,
  type DirectoryLogOptions,
  type SqliteDirectoryLog,
} from "./directory-log.ts";
export type { DiskBytes } from "./disk.ts";
export type { Durability } from "./durability.ts";
export type { EntryFacts } from "./entry-table.ts";
export type { ListPage, ListQuery } from "./merged-scan.ts";
export { openReplicaStore, type SqliteReplicaStore } from "./replica-store.ts";
export { DATABASE_NAMES, type StoreKind } from "./schema.ts";
export { STORE_TUNING_DEFAULT, type StoreOptions, type StoreTuning } from "./store-options.ts";
export { registerStore, type MeasuredStore } from "./store-metrics.ts";
export type { StoreStats } from "./store-stats.ts";
export type { StreamPlace } from "./stream-place.ts";
