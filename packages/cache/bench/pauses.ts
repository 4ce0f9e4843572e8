/** Memory per entry, and the longest single calls, at a million entries. */
import { TlruCache, type CacheClock } from "@meridian/cache";
import { LRUCache } from "lru-cache";

const ENTRIES = 1_000_000;
const VALUE = 100;
const TTL_MS = 3_600_000;

export type Extremes = Record<string, number>;

declare const gc: () => void;

const keyOf = (id: number): string => `tenant:7:user:${id}:profile:v2`;

function held(): number {
  gc();
  gc();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** Real time that can be pushed forward; keeps how long each timer callback took. */
class PushedClock implements CacheClock {
  aheadMs = 0;
  readonly tookMs: number[] = [];

  nowMs(): number {
    return performance.now() + this.aheadMs;
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer = setTimeout(() => {
      const took = stopwatch();
      callback();
      this.tookMs.push(took());
    }, delayMs);
    return () => clearTimeout(timer);
  }
}

/**
 * How long something took, in milliseconds: real time or, if that is less, processor time of the process.
 * The turns that the system gives to other programs are not the cache's.
 */
function stopwatch(): () => number {
  const processor = process.cpuUsage();
  const start = performance.now();
  return () => {
    const realMs = performance.now() - start;
    // Asking costs a microsecond, so only what may be the longest is asked about.
    if (realMs < 0.1) return realMs;
    const { user, system } = process.cpuUsage(processor);
    return Math.min(realMs, (user + system) / 1_000);
  };
}

interface Subject {
  set(key: string, value: number): unknown;
  readonly size: number;
}

/** The longest single call of a million sets of new keys into a full cache. */
function longestInChurn(cache: Subject): number {
  let longest = 0;
  for (let id = ENTRIES; id < 2 * ENTRIES; id++) {
    const key = keyOf(id);
    const took = stopwatch();
    cache.set(key, VALUE);
    longest = Math.max(longest, took());
  }
  return longest;
}

function flatKeys(): string[] {
  const keys = Array.from({ length: ENTRIES }, (_, id) => keyOf(id));
  return JSON.parse(JSON.stringify(keys)) as string[];
}

function fill(make: () => Subject): { cache: Subject; bytesPerEntry: number } {
  const keys = flatKeys();
  const before = held();
  const cache = make();
  for (const key of keys) cache.set(key, VALUE);
  const bytesPerEntry = (held() - before) / ENTRIES;
  // Read, so that the keys are still held at the second count as they were at the first.
  if (keys.length !== ENTRIES) throw new Error("Keys were lost");
  if (cache.size !== ENTRIES) throw new Error(`Expected ${ENTRIES} entries, got ${cache.size}`);
  return { cache, bytesPerEntry };
}

async function ofMeridian(): Promise<Extremes> {
  const clock = new PushedClock();
  const { cache, bytesPerEntry } = fill(
    () =>
      new TlruCache<string, number>({
        maxEntries: ENTRIES,
        maxBytes: ENTRIES * VALUE,
        sizeOf: (value) => value,
        ttlMs: TTL_MS,
        clock,
      }),
  );
  const churn = longestInChurn(cache);
  clock.aheadMs = 2 * TTL_MS;
  const took = stopwatch();
  cache.set("after all has expired", VALUE);
  let longest = took();
  clock.tookMs.length = 0;
  while (cache.size > 1) await new Promise((resolve) => setTimeout(resolve, 1));
  const slices = clock.tookMs.toSorted((a, b) => a - b);
  longest = Math.max(longest, slices.at(-1) ?? 0);
  return {
    "bytes per entry beyond key and value": bytesPerEntry,
    "longest set in churn, ms": churn,
    "longest call when all expires at once, ms": longest,
    "sweep slice p99, ms": slices[Math.floor(slices.length * 0.99)] ?? 0,
  };
}

function ofLruCache(): Extremes {
  let aheadMs = 0;
  const { cache, bytesPerEntry } = fill(
    () =>
      new LRUCache<string, number>({
        max: ENTRIES,
        maxSize: ENTRIES * VALUE,
        sizeCalculation: (value) => value,
        ttl: TTL_MS,
        perf: { now: () => performance.now() + aheadMs },
      }),
  );
  const churn = longestInChurn(cache);
  aheadMs = 2 * TTL_MS;
  const took = stopwatch();
  (cache as LRUCache<string, number>).purgeStale();
  return {
    "bytes per entry beyond key and value": bytesPerEntry,
    "longest set in churn, ms": churn,
    "longest call when all expires at once, ms": took(),
  };
}

export async function extremes(library: string): Promise<Extremes> {
  return library === "meridian" ? ofMeridian() : ofLruCache();
}
