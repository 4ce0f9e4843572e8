export type { CacheClock } from "./cache-clock.ts";
export { CacheError, type CacheErrorCode } from "./cache-error.ts";
export { CoreCache } from "./core-cache.ts";
export type { CacheBehaviour, CacheBounds, CoreOptions } from "./options.ts";
export type { RemovalReason } from "./removal-reason.ts";
export type { CoreStats } from "./reports.ts";
