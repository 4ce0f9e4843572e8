export { openDirectoryLog, type SqliteDirectoryLog } from "./directory-log.ts";
export type { Durability } from "./durability.ts";
export type { EntryFacts } from "./entry-table.ts";
export type { ListPage, ListQuery } from "./merged-scan.ts";
export { openReplicaStore, type SqliteReplicaStore } from "./replica-store.ts";
export { STORE_TUNING_DEFAULT, type StoreOptions, type StoreTuning } from "./store-options.ts";
export type { StoreStats } from "./store-stats.ts";
