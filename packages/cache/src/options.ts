import type { CacheClock } from "./cache-clock.ts";
import { unexpected } from "./cache-error.ts";
import type { RemovalReason } from "./removal-reason.ts";
import { ENTRIES_MAX } from "./slots.ts";

/** The bounds of a cache. At least one must be given: a cache without a bound does not type-check, and throws. */
export type CacheBounds<K, V> =
  | {
      /** The most entries held at any time: a whole number from 1 to 2^26. */
      readonly maxEntries: number;
      /** The most bytes held at any time, as counted by `sizeOf`. */
      readonly maxBytes?: undefined;
      /** Bytes that an entry counts for; a finite number ≥ 0, rounded up. */
      readonly sizeOf?: ((value: V, key: K) => number) | undefined;
    }
  | {
      readonly maxEntries?: number | undefined;
      readonly maxBytes: number;
      readonly sizeOf: (value: V, key: K) => number;
    };

/** The options besides the bounds. */
export interface CacheBehaviour<K, V> {
  /**
   * Time to live of entries that are set without one, in milliseconds. Default: Infinity, which means
   * that they do not expire.
   */
  readonly ttlMs?: number | undefined;
  /**
   * Turns a publisher's time to live into this cache's time to use, both in milliseconds (Infinity:
   * none). The result follows the same rules as a `ttlMs` given to `set`.
   */
  readonly ttu?: ((ttlMs: number, key: K, value: V) => number) | undefined;
  /** The clock and the timer of the cache. Default: the platform's monotonic clock. */
  readonly clock?: CacheClock | undefined;
  /**
   * Called after an entry has left, when the cache is in order again, so it may call back into the
   * cache. Not called for a value that is still in the cache (the same value set again).
   */
  readonly onEvict?: ((key: K, value: V, reason: RemovalReason) => void) | undefined;
  /**
   * Called with each error that `onEvict` throws, and with the error of a failed load in the background. Without
   * `onError`, these errors are only counted in `stats()`.
   */
  readonly onError?: ((error: unknown, key: K) => void) | undefined;
}

/** Options of a `CoreCache`. */
export type CoreOptions<K, V> = CacheBounds<K, V> & CacheBehaviour<K, V>;

/** The options, checked and with their defaults. */
export interface Settings<K, V> {
  readonly maxEntries: number;
  readonly maxBytes: number;
  readonly sizeOf: ((value: V, key: K) => number) | undefined;
  readonly ttlMs: number;
  readonly ttu: ((ttlMs: number, key: K, value: V) => number) | undefined;
}

/** Checks options that may come from JavaScript; throws `BAD_OPTION`. */
export function checkOptions<K, V>(options: CoreOptions<K, V>): Settings<K, V> {
  const { maxEntries = ENTRIES_MAX, maxBytes = Infinity, sizeOf, ttlMs = Infinity, ttu } = options;
  if (options.maxEntries === undefined && options.maxBytes === undefined) {
    throw unexpected("BAD_OPTION", "maxEntries", "or `maxBytes`", "neither");
  }
  if (!Number.isInteger(maxEntries) || maxEntries < 1 || maxEntries > ENTRIES_MAX) {
    throw unexpected("BAD_OPTION", "maxEntries", "as a whole number from 1 to 2^26", maxEntries);
  }
  checkAbove("maxBytes", maxBytes);
  if (options.maxBytes !== undefined && typeof sizeOf !== "function") {
    throw unexpected("BAD_OPTION", "sizeOf", "as a function beside `maxBytes`", sizeOf);
  }
  checkAbove("ttlMs", ttlMs);
  // A size that does not fit a record counts as Infinity, so `maxBytes` must be less.
  return { maxEntries, maxBytes: Math.min(maxBytes, Number.MAX_VALUE), sizeOf, ttlMs, ttu };
}

function checkAbove(name: string, value: number): void {
  if (!(typeof value === "number" && value > 0)) {
    throw unexpected("BAD_OPTION", name, "above 0", value);
  }
}

/** Returns the size that `sizeOf` returned in whole bytes, or Infinity if it is larger than any cache holds. Throws `BAD_SIZE`. */
export function checkedSize(size: number): number {
  if (typeof size === "number" && size >= 0 && size < Infinity) {
    // A record has 32 bits for the size.
    return size > 0xffff_ffff ? Infinity : Math.ceil(size);
  }
  throw unexpected("BAD_SIZE", "sizeOf", "to return a finite number from 0", size);
}

/** Returns the time `ms`, which the option or function `name` gave. Throws `BAD_TTL` if it is no number. */
export function checkedTime(name: string, ms: number): number {
  if (typeof ms === "number" && !Number.isNaN(ms)) return ms;
  throw unexpected("BAD_TTL", name, "as a number of milliseconds", ms);
}
