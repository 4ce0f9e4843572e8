import { TTLCache } from "@isaacs/ttlcache";
import { TlruCache } from "@meridian/cache";
import { CoreCache } from "@meridian/cache/core";
import { LRUCache } from "lru-cache";
import { LRUMap } from "mnemonist";
import QuickLru from "quick-lru";
import { lru as tinyLru } from "tiny-lru";

/** What every library can do, under one name. */
export interface Cache {
  get(key: string): unknown;
  set(key: string, value: unknown): unknown;
}

/** How to build a library's cache; undefined where it cannot do what is asked. */
export interface Library {
  readonly entries: (max: number) => Cache;
  /** Bounded in bytes; every value counts for its own number. */
  readonly bytes?: (max: number) => Cache;
}

/** Longer than any run: expiry costs its bookkeeping, but nothing expires. */
const TTL_MS = 600_000;
const sizeOf = (value: unknown): number => value as number;

export const libraries: Record<string, Library> = {
  meridian: {
    entries: (max) => new TlruCache<string, unknown>({ maxEntries: max, ttlMs: TTL_MS }),
    bytes: (max) => new TlruCache<string, unknown>({ maxBytes: max, sizeOf, ttlMs: TTL_MS }),
  },
  "meridian core": {
    entries: (max) => new CoreCache<string, unknown>({ maxEntries: max, ttlMs: TTL_MS }),
    bytes: (max) => new CoreCache<string, unknown>({ maxBytes: max, sizeOf, ttlMs: TTL_MS }),
  },
  "meridian adaptive": {
    entries: (max) =>
      new TlruCache<string, unknown>({ maxEntries: max, ttlMs: TTL_MS, policy: "adaptive" }),
    bytes: (max) =>
      new TlruCache<string, unknown>({ maxBytes: max, sizeOf, ttlMs: TTL_MS, policy: "adaptive" }),
  },
  "lru-cache ttl": {
    entries: (max) => new LRUCache<string, object>({ max, ttl: TTL_MS }) as Cache,
    bytes: (max) =>
      new LRUCache<string, object>({
        // Without `max` it would keep its lists in plain arrays, which is slower.
        max: Math.ceil(max / 100),
        maxSize: max,
        sizeCalculation: sizeOf,
        ttl: TTL_MS,
      }) as Cache,
  },
  "lru-cache": {
    entries: (max) => new LRUCache<string, object>({ max }) as Cache,
  },
  "@isaacs/ttlcache": {
    entries: (max) => new TTLCache<string, unknown>({ max, ttl: TTL_MS }),
  },
  "tiny-lru": {
    entries: (max) => tinyLru<unknown>(max, TTL_MS),
  },
  "quick-lru": {
    entries: (max) => new QuickLru<string, unknown>({ maxSize: max, maxAge: TTL_MS }),
  },
  "mnemonist LRUMap": {
    entries: (max) => new LRUMap<string, unknown>(max),
  },
};
