/**
 * A time-aware LRU cache, after Bilal & Kang, "Time Aware Least Recent Used (TLRU) cache management policy
 * in ICN" (2014): a publisher's time to live becomes this cache's time to use, what is past its time leaves
 * first, and after that what was used least recently.
 *
 * The parts: an index finds the slot of a key; the slots hold records, keys and values; a tree of minima
 * finds what is past its time; a policy orders the rest; a timekeeper owns time and the one timer. This
 * file is how they work together.
 *
 * Invariants, true whenever foreign code can run: entries ≤ maxEntries; bytes ≤ maxBytes; index, policy and
 * slots hold the same entries; every expiry was told to the tree.
 */
import { AdaptivePolicy } from "./adaptive-policy.ts";
import { unexpected } from "./cache-error.ts";
import { Departures } from "./departures.ts";
import type { EvictionPolicy } from "./eviction-policy.ts";
import { ExpiryTree } from "./expiry-tree.ts";
import { KeyIndex } from "./key-index.ts";
import { Loads, type Loader, type LoadOptions } from "./loads.ts";
import { LruPolicy } from "./lru-policy.ts";
import { checkedSize, checkOptions, type Settings, type TlruOptions } from "./options.ts";
import {
  CLEARED,
  DELETED,
  EVICTED,
  EXPIRED,
  REJECTED,
  RemovalLog,
  REPLACED,
} from "./removal-log.ts";
import type { CacheStats, Explanation } from "./reports.ts";
import { BYTES, FREE, Slots } from "./slots.ts";
import { checkSnapshot, type CacheSnapshot } from "./snapshot.ts";
import { randomSeed, systemClock } from "./platform.ts";
import { Timekeeper, weakly } from "./timekeeper.ts";

/** Entries that the timer frees in one go. */
const SLICE = 512;
/** What expires within this time is freed together, so that the timer does not ring for each. */
const SWEEP_EVERY_MS = 50;
const NEXT_SLICE_MS = 1;

/** A bounded cache whose entries have a time to use. Keys are equal as in a `Map`. */
export class TlruCache<K, V> {
  readonly #settings: Settings<K, V>;
  readonly #time: Timekeeper;
  readonly #seed = randomSeed();
  readonly #log = new RemovalLog<K>();
  readonly #loads: Loads<K, V>;
  readonly #departures: Departures<K, V> | undefined;
  readonly #onError: ((error: unknown, key: K) => void) | undefined;
  #slots!: Slots;
  #tree!: ExpiryTree;
  #policy!: EvictionPolicy;
  #index!: KeyIndex;
  /** When the timer last freed something. */
  #sweptAtMs = -Infinity;
  #entries = 0;
  #bytes = 0;
  #hits = 0;
  #misses = 0;
  #staleHits = 0;
  #loadErrors = 0;
  #listenerErrors = 0;

  /** Throws `BAD_OPTION` if an option is out of its range or no bound is given. */
  constructor(options: TlruOptions<K, V>) {
    this.#settings = checkOptions(options);
    this.#time = new Timekeeper(
      options.clock ?? systemClock,
      weakly<TlruCache<K, V>>(this, TlruCache.#onTimer),
    );
    this.#build();
    this.#onError = options.onError;
    const { onEvict } = options;
    this.#departures =
      onEvict && new Departures(onEvict, (error, key) => this.#listenerThrew(error, key));
    this.#loads = new Loads({
      nowMs: () => this.#time.refresh(),
      wakeIn: (delayMs) => this.#time.wakeIn(delayMs),
      store: (key, value, ttlMs) => this.set(key, value, ttlMs),
      failed: (error, key, background) => this.#loadFailed(error, key, background),
    });
  }

  /** Entries held, including those past their time that have not been freed yet. */
  get size(): number {
    return this.#entries;
  }

  /** The sum of `sizeOf` over the entries held; 0 without `sizeOf`. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The key that would be evicted next among those whose time is not over; undefined if there is none. */
  get oldest(): K | undefined {
    for (let slot = this.#policy.following(0); slot !== 0; slot = this.#policy.following(slot)) {
      if (this.#isLive(slot)) return this.#slots.key(slot) as K;
    }
    return undefined;
  }

  /** The value of a key, marked as used; undefined if it is not here or its time is over. */
  get(key: K): V | undefined {
    const slot = this.#find(key);
    if (slot !== 0 && this.#isLive(slot)) {
      this.#hits++;
      this.#policy.use(slot);
      return this.#slots.value(slot) as V;
    }
    this.#misses++;
    if (slot !== 0) this.#dropExpired(slot);
    return undefined;
  }

  /** The value of a key, neither marked as used nor counted. */
  peek(key: K): V | undefined {
    const slot = this.#find(key);
    return slot !== 0 && this.#isLive(slot) ? (this.#slots.value(slot) as V) : undefined;
  }

  /** Whether `get` would find the key, also one whose value is undefined; neither marks nor counts. */
  has(key: K): boolean {
    const slot = this.#find(key);
    return slot !== 0 && this.#isLive(slot);
  }

  /**
   * Milliseconds until the key's time is over: Infinity for never, undefined if it is not here. Neither
   * marks nor counts.
   */
  remainingTtlMs(key: K): number | undefined {
    const slot = this.#find(key);
    return slot !== 0 && this.#isLive(slot) ? this.#remaining(slot) : undefined;
  }

  /**
   * Sets the value of a key and marks it as used; other entries leave as the bounds demand.
   *
   * `ttlMs` defaults to the option. Infinity and all that is beyond counting never expires; 0 or less is
   * over at once: nothing is kept, and what the key held leaves. The same goes for a value that alone
   * exceeds `maxBytes`. Returns whether the entry was kept. Throws `BAD_TTL` if the time is NaN or not a
   * number, and `BAD_SIZE` if `sizeOf` returns no size; then nothing has changed.
   */
  set(key: K, value: V, ttlMs?: number): boolean {
    const { sizeOf } = this.#settings;
    const useMs = this.#timeToUse(ttlMs, key, value);
    const bytes = sizeOf === undefined ? 0 : checkedSize(sizeOf(value, key));
    return this.#put(key, value, useMs, bytes);
  }

  /** Removes a key; whether it was here and its time was not over. */
  delete(key: K): boolean {
    this.#loads.supersede(key);
    const slot = this.#find(key);
    if (slot === 0) return false;
    const live = this.#isLive(slot);
    this.#remove(slot, live ? DELETED : EXPIRED);
    this.#tell();
    return live;
  }

  /** Removes everything. Statistics stay. */
  clear(): void {
    this.#removeAll();
    this.#tell();
  }

  /**
   * Marks a key as used and, if `ttlMs` is given, lets it live that long from now, by the rules of `set`.
   * Returns whether it is here. Throws `BAD_TTL`.
   */
  touch(key: K, ttlMs?: number): boolean {
    let slot = this.#find(key);
    if (slot === 0 || !this.#isLive(slot)) return false;
    if (ttlMs === undefined) {
      this.#policy.use(slot);
      return true;
    }
    const useMs = this.#timeToUse(ttlMs, key, this.#slots.value(slot) as V);
    // `ttu` is foreign code: the entry may have left or moved.
    slot = this.#find(key);
    if (slot === 0) return false;
    if (useMs > 0) {
      this.#expireAt(slot, this.#time.read() + useMs);
      this.#policy.use(slot);
    } else {
      this.#remove(slot, EXPIRED);
      this.#tell();
    }
    return useMs > 0;
  }

  /**
   * The value of a key or, if it is not here, what `load` fetches for it, which is then set. All who ask
   * for a key while it is being loaded share one load. An entry past its time by less than `staleMs` is
   * returned at once, while one load in the background replaces it.
   *
   * A load's result is not kept if the key was set, deleted or cleared meanwhile. Rejects with what the
   * loader threw, with the reason of `options.signal`, or with `LOAD_TIMEOUT`; failures are not cached.
   */
  getOrLoad(key: K, load: Loader<K, V>, options: LoadOptions = {}): Promise<V> {
    const { timeoutMs } = options;
    if (timeoutMs !== undefined && !(timeoutMs > 0)) {
      return Promise.reject(unexpected("BAD_OPTION", "timeoutMs", "above 0", timeoutMs));
    }
    const slot = this.#find(key);
    if (slot !== 0) {
      const value = this.#slots.value(slot) as V;
      if (this.#isLive(slot)) {
        this.#hits++;
        this.#policy.use(slot);
        return Promise.resolve(value);
      }
      if (this.#isKept(slot)) {
        this.#staleHits++;
        this.#policy.use(slot);
        this.#loads.refresh(key, load, options);
        return Promise.resolve(value);
      }
    }
    this.#misses++;
    if (slot !== 0) this.#dropExpired(slot);
    return this.#loads.wait(key, load, options);
  }

  /**
   * The keys and values of all entries whose time is not over, in no particular order. Stays valid while
   * entries come and go: what is here throughout is visited exactly once.
   */
  *entries(): IterableIterator<[K, V]> {
    for (let slot = 1; slot < this.#slots.used; slot++) {
      const key = this.#slots.key(slot);
      if (key !== FREE && this.#isLive(slot)) yield [key as K, this.#slots.value(slot) as V];
    }
  }

  /** The keys of `entries()`. */
  *keys(): IterableIterator<K> {
    for (const [key] of this.entries()) yield key;
  }

  /** Same as `entries()`. */
  [Symbol.iterator](): IterableIterator<[K, V]> {
    return this.entries();
  }

  /** Counts since the cache was made. */
  stats(): CacheStats {
    return {
      hits: this.#hits,
      staleHits: this.#staleHits,
      misses: this.#misses,
      rejected: this.#log.count(REJECTED),
      removals: this.#log.counts(),
      loadErrors: this.#loadErrors,
      listenerErrors: this.#listenerErrors,
    };
  }

  /** Why a key is here or is not; neither marks nor counts. For people: it may search a little. */
  explain(key: K): Explanation {
    const loading = this.#loads.has(key);
    const slot = this.#find(key);
    const nowMs = this.#time.refresh();
    if (slot !== 0 && this.#isKept(slot)) {
      const remainingMs = this.#remaining(slot);
      const bytes = this.#bytesOf(slot);
      return { state: remainingMs > 0 ? "live" : "stale", remainingMs, bytes, loading };
    }
    if (slot !== 0) {
      return { state: "absent", reason: "expired", agoMs: -this.#remaining(slot), loading };
    }
    const fate = this.#log.find(key);
    if (fate === undefined)
      return { state: "absent", reason: "unknown", agoMs: undefined, loading };
    return { state: "absent", reason: fate.reason, agoMs: nowMs - fate.atMs, loading };
  }

  /** All entries whose time is not over, with their order and remaining time. */
  snapshot(): CacheSnapshot<K, V> {
    const entries: [K, V, number | null][] = [];
    for (let slot = this.#policy.following(0); slot !== 0; slot = this.#policy.following(slot)) {
      if (!this.#isLive(slot)) continue;
      const key = this.#slots.key(slot) as K;
      const ms = this.#remaining(slot);
      entries.push([key, this.#slots.value(slot) as V, ms === Infinity ? null : ms]);
    }
    return { version: 1, entries };
  }

  /**
   * Replaces the content by that of a snapshot, in its order; if it is too much, the first of it leave.
   * `elapsedMs` is how long ago the snapshot was taken, and is taken off all remaining times. Returns how
   * many entries are here then. Throws `BAD_SNAPSHOT` and `BAD_SIZE`, and then nothing has changed.
   */
  restore(snapshot: CacheSnapshot<K, V>, elapsedMs = 0): number {
    checkSnapshot(snapshot);
    const { sizeOf } = this.#settings;
    const sizes = snapshot.entries.map(([key, value]) =>
      sizeOf === undefined ? 0 : checkedSize(sizeOf(value, key)),
    );
    this.#removeAll();
    snapshot.entries.forEach(([key, value, remainingMs], at) => {
      const useMs = remainingMs === null ? Infinity : remainingMs - elapsedMs;
      if (useMs > 0) this.#put(key, value, useMs, sizes[at] as number);
    });
    this.#tell();
    return this.#entries;
  }

  /**
   * Cancels the timer. The cache goes on working, but frees what expires only when it comes across it, and
   * loads no longer time out. Calling it again does nothing.
   */
  close(): void {
    this.#time.stop();
  }

  /** Puts empty parts in place. */
  #build(): void {
    this.#slots = new Slots(this.#settings.maxEntries);
    this.#tree = new ExpiryTree(this.#slots);
    this.#policy =
      this.#settings.policy === "adaptive"
        ? new AdaptivePolicy(this.#slots)
        : new LruPolicy(this.#slots);
    this.#index = new KeyIndex(this.#slots, this.#seed);
    this.#entries = 0;
    this.#bytes = 0;
  }

  #find(key: K): number {
    return this.#index.find(key);
  }

  #isLive(slot: number): boolean {
    const expiresAt = this.#slots.expiresAt(slot);
    return expiresAt === Infinity || expiresAt > this.#time.read();
  }

  /** Whether an entry is live, or stale but still of use to `getOrLoad`. */
  #isKept(slot: number): boolean {
    return this.#remaining(slot) > -this.#settings.staleMs;
  }

  #remaining(slot: number): number {
    return this.#slots.expiresAt(slot) - this.#time.nowMs;
  }

  #bytesOf(slot: number): number {
    return this.#slots.word(slot, BYTES) >>> 0;
  }

  #timeToUse(ttlMs: number | undefined, key: K, value: V): number {
    const { ttu } = this.#settings;
    const given = ttlMs === undefined ? this.#settings.ttlMs : ttlMs;
    if (typeof given !== "number" || Number.isNaN(given)) {
      throw unexpected("BAD_TTL", "ttlMs", "as a number of milliseconds", given);
    }
    if (ttu === undefined) return given;
    const useMs: unknown = ttu(given, key, value);
    if (typeof useMs !== "number" || Number.isNaN(useMs)) {
      throw unexpected("BAD_TTL", "ttu", "to return a number of milliseconds", useMs);
    }
    return useMs;
  }

  #put(key: K, value: V, useMs: number, bytes: number): boolean {
    this.#loads.supersede(key);
    const hash = this.#index.hashOf(key);
    const slot = this.#index.findHashed(key, hash);
    const nowMs = this.#time.read();
    const kept = useMs > 0 && bytes <= this.#settings.maxBytes && bytes < Infinity;
    if (!kept) {
      if (slot !== 0) this.#remove(slot, this.#isLive(slot) ? REPLACED : EXPIRED);
      this.#log.note(key, REJECTED, nowMs);
    } else if (slot !== 0) this.#update(slot, value, nowMs + useMs, bytes);
    else this.#insert(key, hash, value, nowMs + useMs, bytes);
    this.#tell();
    return kept;
  }

  #insert(key: K, hash: number, value: V, expiresAt: number, bytes: number): void {
    this.#makeRoom(1, bytes);
    const slot = this.#slots.take(key, value);
    this.#slots.setWord(slot, BYTES, bytes);
    this.#entries++;
    this.#bytes += bytes;
    this.#expireAt(slot, expiresAt);
    // The index writes the hash that the policy may want.
    this.#index.add(slot, hash);
    this.#policy.admit(slot);
  }

  #update(slot: number, value: V, expiresAt: number, bytes: number): void {
    const slots = this.#slots;
    const old = slots.value(slot) as V;
    if (old !== value) {
      const reason = this.#isLive(slot) ? REPLACED : EXPIRED;
      const key = slots.key(slot) as K;
      this.#log.note(key, reason, this.#time.nowMs);
      this.#departures?.add(key, old, reason);
      slots.setValue(slot, value);
    }
    const more = bytes - this.#bytesOf(slot);
    if (more !== 0) {
      this.#bytes += more;
      slots.setWord(slot, BYTES, bytes);
    }
    this.#expireAt(slot, expiresAt);
    if (this.#bytes <= this.#settings.maxBytes) {
      this.#policy.use(slot);
      return;
    }
    // What was just set must not be what leaves for it.
    this.#policy.remove(slot, false);
    this.#makeRoom(0, 0);
    this.#policy.admit(slot);
  }

  #expireAt(slot: number, expiresAt: number): void {
    this.#slots.setExpiresAt(slot, expiresAt);
    if (expiresAt === Infinity) return;
    this.#tree.lower(slot, expiresAt);
    if (expiresAt <= this.#tree.earliest) {
      this.#time.wakeIn(expiresAt + this.#settings.staleMs - this.#time.nowMs);
    }
  }

  #makeRoom(entries: number, bytes: number): void {
    const { maxEntries, maxBytes } = this.#settings;
    while (this.#entries + entries > maxEntries || this.#bytes + bytes > maxBytes) {
      const expired = this.#tree.find(this.#time.nowMs, Infinity);
      if (expired !== 0) this.#remove(expired, EXPIRED);
      else this.#remove(this.#policy.victim(), EVICTED);
    }
  }

  #remove(slot: number, reason: number): void {
    const key = this.#slots.key(slot) as K;
    this.#departures?.add(key, this.#slots.value(slot) as V, reason);
    this.#log.note(key, reason, this.#time.nowMs);
    this.#index.remove(slot);
    this.#policy.remove(slot, reason === EVICTED);
    this.#entries--;
    this.#bytes -= this.#bytesOf(slot);
    this.#slots.release(slot);
  }

  #removeAll(): void {
    this.#loads.supersedeAll();
    const slots = this.#slots;
    for (let slot = slots.next(0); slot !== 0; slot = slots.next(slot)) {
      const key = slots.key(slot) as K;
      const reason = this.#isLive(slot) ? CLEARED : EXPIRED;
      this.#log.note(key, reason, this.#time.nowMs);
      this.#departures?.add(key, slots.value(slot) as V, reason);
    }
    this.#build();
  }

  /** An entry past its time was come across. */
  #dropExpired(slot: number): void {
    if (this.#isKept(slot)) return;
    this.#remove(slot, EXPIRED);
    this.#tell();
  }

  #tell(): void {
    if (this.#departures?.tell()) this.#time.wakeIn(NEXT_SLICE_MS);
  }

  /** Static, because a closure made in the constructor would hold on to the cache. */
  static #onTimer<K, V>(this: void, cache: TlruCache<K, V>): void {
    cache.#ring();
  }

  /** The timer: frees a slice of what is past its time, and sets itself anew. */
  #ring(): void {
    const { staleMs } = this.#settings;
    const { nowMs } = this.#time;
    let budget = SLICE;
    while (budget > 0) {
      const slot = this.#tree.find(nowMs - staleMs, budget);
      budget -= 1 + this.#tree.repairs;
      if (slot === 0) break;
      this.#sweptAtMs = nowMs;
      this.#remove(slot, EXPIRED);
    }
    const dueMs = this.#tree.earliest + staleMs;
    const restMs = budget > 0 ? this.#sweptAtMs + SWEEP_EVERY_MS - nowMs : NEXT_SLICE_MS;
    if (dueMs < Infinity) this.#time.wakeIn(Math.max(dueMs - nowMs, restMs));
    const loadDueMs = this.#loads.expire();
    if (loadDueMs < Infinity) this.#time.wakeIn(loadDueMs);
    this.#tell();
  }

  #listenerThrew(error: unknown, key: K): void {
    this.#listenerErrors++;
    this.#report(error, key);
  }

  #loadFailed(error: unknown, key: K, background: boolean): void {
    this.#loadErrors++;
    if (background) this.#report(error, key);
  }

  #report(error: unknown, key: K): void {
    try {
      this.#onError?.(error, key);
    } catch {
      this.#listenerErrors++;
    }
  }
}
