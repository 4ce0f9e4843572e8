export { CacheStore } from "./cache-store.ts";
export { MeridianStore, type ErrorListener } from "./meridian-store.ts";
export type { StoreEntry, StoreOptions } from "./store-entry.ts";
