export {
  nextCacheHandler,
  type NextCacheHandlerClass,
  type NextCacheOptions,
} from "./handler-class.ts";
export type {
  CacheControl,
  CacheHandler,
  CacheHandlerValue,
  CachedData,
  GetContext,
  HandlerContext,
  SetContext,
} from "./cache-handler.ts";
