export type { CacheClock } from "./cache-clock.ts";
export { CacheError, type CacheErrorCode } from "./cache-error.ts";
export type { DueRank } from "./due-policy.ts";
export type { Loader, LoadContext, LoadOptions } from "./loads.ts";
export type { CacheBehaviour, CacheBounds } from "./options.ts";
export type { RemovalReason } from "./removal-reason.ts";
export type { CacheStats, CoreStats, Explanation } from "./reports.ts";
export type { CacheSnapshot } from "./snapshot.ts";
export { TlruCache, type TlruExtras, type TlruOptions } from "./tlru-cache.ts";
