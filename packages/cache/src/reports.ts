import type { RemovalReason } from "./removal-reason.ts";

/** Counts since the cache was made. */
export interface CoreStats {
  /** Calls of `get` and `getOrLoad` that found a live entry. */
  readonly hits: number;
  /** Calls of `get` and `getOrLoad` that found no live and no stale entry. */
  readonly misses: number;
  /** Entries that were set but not kept: their time was over at once, or they alone exceed the bound. */
  readonly rejected: number;
  /** Entries that left, by reason. */
  readonly removals: Readonly<Record<RemovalReason, number>>;
  /** Calls of `onEvict` or `onError` that threw. */
  readonly listenerErrors: number;
}

/** Counts since the cache was made. */
export interface CacheStats extends CoreStats {
  /** Calls of `getOrLoad` that returned a stale entry. */
  readonly staleHits: number;
  /** Loads that failed, in the foreground or in the background. */
  readonly loadErrors: number;
}

/** Why a key is here or is not. */
export type Explanation =
  | {
      /** `live`: any call finds it. `stale`: only `getOrLoad` does, until its replacement is loaded. */
      readonly state: "live" | "stale";
      /** Milliseconds until its time is over; Infinity: never; 0 or less: it is over. */
      readonly remainingMs: number;
      /** How many bytes the entry counts for. */
      readonly bytes: number;
      readonly loading: boolean;
    }
  | {
      readonly state: "absent";
      /**
       * Why it left; `rejected`: it was never kept, for its time was over at once or it alone exceeds the
       * bound; `unknown`: it never was here, or left longer ago than the cache remembers (256 removals).
       */
      readonly reason: RemovalReason | "rejected" | "unknown";
      /** How many milliseconds ago the key left; undefined if unknown. */
      readonly agoMs: number | undefined;
      readonly loading: boolean;
    };
