export type { CacheClock } from "./cache-clock.ts";
export { CacheError, type CacheErrorCode } from "./cache-error.ts";
export type { Loader, LoadContext, LoadOptions } from "./loads.ts";
export type { CacheBehaviour, CacheBounds, RemovalReason, TlruOptions } from "./options.ts";
export type { CacheStats, Explanation } from "./reports.ts";
export type { CacheSnapshot } from "./snapshot.ts";
export { TlruCache } from "./tlru-cache.ts";
