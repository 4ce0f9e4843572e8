/**
 * A time-aware LRU cache, after Bilal & Kang, "Time Aware Least Recent Used (TLRU) cache management policy
 * in ICN" (2014): a publisher's time to live becomes this cache's time to use, what is past its time leaves
 * first, and after that what was used least recently.
 *
 * The parts: an index finds the slot of a key; the slots hold records, keys and values; a tree of minima
 * finds expired entries; a policy orders the others; a timekeeper owns time and the one timer. This
 * file connects them. Protected members are for `TlruCache`, which adds loading, snapshots and explanations.
 *
 * Invariants, true whenever foreign code can run: entries ≤ maxEntries; bytes ≤ maxBytes; index, policy and
 * slots hold the same entries; what the tree knows of a slot is not later than its expiry.
 */
import { Departures } from "./departures.ts";
import type { EvictionPolicy, PolicyClass } from "./eviction-policy.ts";
import { ExpiryTree } from "./expiry-tree.ts";
import type { IndexMaker, KeyIndex } from "./key-index.ts";
import { KeyMaps } from "./key-maps.ts";
import { LruPolicy } from "./lru-policy.ts";
import {
  checkedSize,
  checkedTime,
  checkOptions,
  type CoreOptions,
  type Settings,
} from "./options.ts";
import { CLEARED, DELETED, EVICTED, EXPIRED, REJECTED, REPLACED } from "./removal-reason.ts";
import type { CoreStats } from "./reports.ts";
import { FREE, Slots } from "./slots.ts";
import { randomSeed, systemClock } from "./platform.ts";
import { Timekeeper, weakly } from "./timekeeper.ts";

/** Entries that the timer frees in one go. */
const SLICE = 512;
/** Entries that expire within this time are freed together, in milliseconds, so that the timer does not fire for each. */
const SWEEP_EVERY_MS = 50;
const NEXT_SLICE_MS = 1;

/** The parts that `TlruCache` replaces by others. */
export interface CoreParts {
  readonly index?: IndexMaker | undefined;
  readonly Policy?: PolicyClass | undefined;
}

/** A bounded cache whose entries have a time to use. Keys are equal as in a `Map`. */
export class CoreCache<K, V> {
  protected readonly time: Timekeeper;
  protected slots!: Slots;
  protected policy!: EvictionPolicy;
  /** How long expired entries are kept, in milliseconds. */
  protected staleMs = 0;
  readonly #settings: Settings<K, V>;
  readonly #parts: CoreParts;
  readonly #seed: number = randomSeed();
  readonly #departures: Departures<K, V> | undefined;
  readonly #onError: ((error: unknown, key: K) => void) | undefined;
  /** How many values have left, by reason. */
  readonly #counts: [number, number, number, number, number, number] = [0, 0, 0, 0, 0, 0];
  #tree!: ExpiryTree;
  #index!: KeyIndex;
  /** When the timer last freed something. */
  #sweptAtMs = -Infinity;
  #entries = 0;
  #bytes = 0;
  #hits = 0;
  #misses = 0;
  #listenerErrors = 0;

  /** Throws `BAD_OPTION` if an option is out of its range or no bound is given. */
  constructor(options: CoreOptions<K, V>, parts: CoreParts = {}) {
    const { onEvict, onError, clock = systemClock } = options;
    this.#parts = parts;
    this.#settings = checkOptions(options);
    this.time = new Timekeeper(clock, weakly<CoreCache<K, V>>(this, CoreCache.#onTimer));
    this.#build();
    this.#onError = onError;
    this.#departures =
      onEvict &&
      new Departures(onEvict, (error, key) => {
        this.#listenerErrors++;
        this.report(error, key);
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
    for (const slot of this.inOrder()) return this.slots.key(slot) as K;
    return undefined;
  }

  /** The value of a key, marked as used; undefined if it is not here or its time is over. */
  get(key: K): V | undefined {
    const slot = this.find(key);
    if (slot !== 0) {
      if (this.isLive(slot)) {
        this.#hits++;
        this.policy.use(slot, false);
        return this.slots.value(slot) as V;
      }
      this.#dropExpired(slot);
    }
    this.#misses++;
    return undefined;
  }

  /** The value of a key, neither marked as used nor counted. */
  peek(key: K): V | undefined {
    const slot = this.#findLive(key);
    return slot === 0 ? undefined : (this.slots.value(slot) as V);
  }

  /** Whether `get` would find the key, also one whose value is undefined; neither marks nor counts. */
  has(key: K): boolean {
    return this.#findLive(key) !== 0;
  }

  /**
   * Milliseconds until the key's time is over: Infinity for never, undefined if it is not here. Neither
   * marks nor counts.
   */
  remainingTtlMs(key: K): number | undefined {
    const slot = this.#findLive(key);
    return slot === 0 ? undefined : this.remaining(slot);
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
    const { ttlMs: usual, ttu } = this.#settings;
    const checked = ttlMs === undefined && ttu === undefined;
    const useMs = checked ? usual : this.#timeToUse(ttlMs, key, value);
    return this.put(key, value, useMs, this.sizeOf(key, value));
  }

  /** Removes a key; whether it was here and its time was not over. */
  delete(key: K): boolean {
    this.changing(key);
    const slot = this.find(key);
    if (slot === 0) return false;
    const live = this.isLive(slot);
    this.#remove(slot, live ? DELETED : EXPIRED);
    this.tell();
    return live;
  }

  /** Removes everything. Statistics stay. */
  clear(): void {
    this.removeAll();
    this.tell();
  }

  /**
   * Marks a key as used and, if `ttlMs` is given, lets it live that long from now, by the rules of `set`.
   * Returns whether it is here. Throws `BAD_TTL`.
   */
  touch(key: K, ttlMs?: number): boolean {
    let slot = this.#findLive(key);
    if (slot === 0) return false;
    if (ttlMs !== undefined) {
      const useMs = this.#timeToUse(ttlMs, key, this.slots.value(slot) as V);
      // `ttu` is foreign code: the entry may have left or moved.
      slot = this.find(key);
      if (slot === 0) return false;
      if (!(useMs > 0)) {
        this.#remove(slot, EXPIRED);
        this.tell();
        return false;
      }
      this.time.freshen();
      this.#tree.raise(slot);
      this.#expireIn(slot, useMs);
    }
    this.policy.use(slot, ttlMs !== undefined);
    return true;
  }

  /**
   * The keys and values of all entries whose time is not over, in no particular order. Stays valid while
   * entries come and go: what is here throughout is visited exactly once.
   */
  *entries(): IterableIterator<[K, V]> {
    for (let slot = 1; slot < this.slots.used; slot++) {
      const key = this.slots.key(slot);
      if (key !== FREE && this.isLive(slot)) yield [key as K, this.slots.value(slot) as V];
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
  stats(): CoreStats {
    const [expired, evicted, replaced, deleted, cleared, rejected] = this.#counts;
    return {
      hits: this.#hits,
      misses: this.#misses,
      rejected,
      removals: { expired, evicted, replaced, deleted, cleared },
      listenerErrors: this.#listenerErrors,
    };
  }

  /**
   * Cancels the timer. The cache goes on working, but frees what expires only when it comes across it, and
   * loads no longer time out. Calling it again does nothing.
   */
  close(): void {
    this.time.stop();
  }

  /** Called before the value of a key changes or goes by the caller's will. */
  protected changing(_key: K): void {}

  /** Called when the value of a key leaves, or is not let in. */
  protected leaving(_key: K, _reason: number): void {}

  /** Called by the timer: the time until it should ring again. */
  protected ringing(): number {
    return Infinity;
  }

  protected find(key: K): number {
    return this.#index.find(key, this.#index.hashOf(key));
  }

  protected isLive(slot: number): boolean {
    const { slots, time } = this;
    const expiresAt = slots.expiresAt(slot);
    if (expiresAt === Infinity) return true;
    time.freshen();
    return expiresAt > time.nowMs;
  }

  /** Whether an entry is live, or stale but still of use to `getOrLoad`. */
  protected isKept(slot: number): boolean {
    return this.remaining(slot) > -this.staleMs;
  }

  protected remaining(slot: number): number {
    return this.slots.expiresAt(slot) - this.time.nowMs;
  }

  /** The slots of live entries, the first to leave first. */
  protected *inOrder(): IterableIterator<number> {
    for (let slot = 0; (slot = this.policy.following(slot)) !== 0;) {
      if (this.isLive(slot)) yield slot;
    }
  }

  protected sizeOf(key: K, value: V): number {
    const { sizeOf } = this.#settings;
    return sizeOf === undefined ? 0 : checkedSize(sizeOf(value, key));
  }

  /** Sets what has been checked. */
  protected put(key: K, value: V, useMs: number, bytes: number): boolean {
    this.changing(key);
    const hash = this.#index.hashOf(key);
    const slot = this.#index.find(key, hash);
    this.time.freshen();
    const kept = useMs > 0 && bytes <= this.#settings.maxBytes;
    if (!kept) this.#reject(key, slot);
    else if (slot === 0) this.#insert(key, hash, value, useMs, bytes);
    else this.#update(slot, value, useMs, bytes);
    if (this.#departures !== undefined) this.tell();
    return kept;
  }

  protected removeAll(): void {
    const { slots } = this;
    for (let slot = 1; slot < slots.used; slot++) {
      if (slots.key(slot) !== FREE) this.#leave(slot, this.isLive(slot) ? CLEARED : EXPIRED);
    }
    this.#build();
  }

  /** Tells the listener what has left. */
  protected tell(): void {
    if (this.#departures?.tell()) this.time.wakeIn(NEXT_SLICE_MS);
  }

  /** Tells of an error that no caller hears of. */
  protected report(error: unknown, key: K): void {
    try {
      this.#onError?.(error, key);
    } catch {
      this.#listenerErrors++;
    }
  }

  /** Puts empty parts in place. */
  #build(): void {
    const slots = new Slots(this.#settings.maxEntries);
    const { index = (): KeyIndex => new KeyMaps(slots), Policy = LruPolicy } = this.#parts;
    this.slots = slots;
    this.#tree = new ExpiryTree(slots, this.time);
    this.policy = new Policy(slots);
    this.#index = index(slots, this.#seed);
    this.#entries = this.#bytes = 0;
  }

  #findLive(key: K): number {
    const slot = this.find(key);
    return slot !== 0 && this.isLive(slot) ? slot : 0;
  }

  #timeToUse(ttlMs: number | undefined, key: K, value: V): number {
    const { ttu, ttlMs: usual } = this.#settings;
    const asked = ttlMs === undefined ? usual : ttlMs;
    const given = checkedTime("ttlMs", asked);
    if (ttu === undefined) return given;
    return checkedTime("ttu()", ttu(given, key, value));
  }

  #insert(key: K, hash: number, value: V, useMs: number, bytes: number): void {
    const { maxEntries, maxBytes } = this.#settings;
    let slot = 0;
    while (this.#entries >= maxEntries || this.#bytes + bytes > maxBytes) {
      if (slot !== 0) this.slots.release(slot);
      slot = this.#vacateNext();
    }
    if (slot === 0) slot = this.slots.take();
    this.slots.put(slot, key, value);
    this.#entries++;
    if (this.#settings.sizeOf !== undefined) {
      this.slots.setBytes(slot, bytes);
      this.#bytes += bytes;
    }
    this.#expireIn(slot, useMs);
    // The index writes the hash that the policy may want.
    this.#index.add(slot, hash);
    this.policy.admit(slot);
  }

  #reject(key: K, slot: number): void {
    if (slot !== 0) this.#remove(slot, this.isLive(slot) ? REPLACED : EXPIRED);
    this.#count(key, REJECTED);
  }

  #update(slot: number, value: V, useMs: number, bytes: number): void {
    const { slots } = this;
    if (slots.value(slot) !== value) {
      this.#leave(slot, this.isLive(slot) ? REPLACED : EXPIRED);
      slots.setValue(slot, value);
    }
    this.#tree.raise(slot);
    this.#expireIn(slot, useMs);
    this.policy.use(slot, true);
    const { maxBytes, sizeOf } = this.#settings;
    if (sizeOf === undefined) return;
    this.#bytes += bytes - slots.bytes(slot);
    slots.setBytes(slot, bytes);
    if (this.#bytes <= maxBytes) return;
    // What was just set must not be what leaves for it.
    this.policy.remove(slot, false);
    while (this.#bytes > maxBytes) slots.release(this.#vacateNext());
    this.policy.admit(slot);
  }

  /** Takes a duration, which is mostly a small integer: an instant would be boxed for each call it passes. */
  #expireIn(slot: number, useMs: number): void {
    const { slots, time } = this;
    const before = slots.expiresAt(slot);
    slots.setExpiresAt(slot, time.nowMs + useMs);
    // The tree and the timer know of what was here before, even if it has left, and so of as early a time.
    if (before <= slots.expiresAt(slot)) return;
    this.#tree.lower(slot);
    if (slots.expiresAt(slot) <= this.#tree.earliest) time.wakeIn(useMs + this.staleMs);
  }

  /** Removes what is to go first, all but from its slot, which is the answer. */
  #vacateNext(): number {
    const tree = this.#tree;
    const expired = tree.earliest <= this.time.nowMs ? tree.find(0, Infinity) : 0;
    const slot = expired === 0 ? this.policy.victim() : expired;
    this.#vacate(slot, expired === 0 ? EVICTED : EXPIRED);
    return slot;
  }

  #remove(slot: number, reason: number): void {
    this.#vacate(slot, reason);
    this.slots.release(slot);
  }

  /** Removes an entry, all but from its slot. */
  #vacate(slot: number, reason: number): void {
    this.#leave(slot, reason);
    this.#index.remove(slot);
    this.policy.remove(slot, reason === EVICTED);
    this.#entries--;
    if (this.#bytes > 0) this.#bytes -= this.slots.bytes(slot);
    this.#tree.raise(slot);
  }

  /** Notes that the value in a slot leaves, and why. */
  #leave(slot: number, reason: number): void {
    const key = this.slots.key(slot) as K;
    this.#departures?.add(key, this.slots.value(slot) as V, reason);
    this.#count(key, reason);
  }

  #count(key: K, reason: number): void {
    this.#counts[reason] = (this.#counts[reason] as number) + 1;
    this.leaving(key, reason);
  }

  /** An entry past its time was come across. */
  #dropExpired(slot: number): void {
    if (this.isKept(slot)) return;
    this.#remove(slot, EXPIRED);
    this.tell();
  }

  /** Static, because a closure made in the constructor would hold on to the cache. */
  static #onTimer<K, V>(this: void, cache: CoreCache<K, V>): void {
    cache.#ring();
  }

  /** The timer: frees a slice of what is past its time, and sets itself anew. */
  #ring(): void {
    const { staleMs, time } = this;
    const { nowMs } = time;
    let budget = SLICE;
    while (budget > 0) {
      const slot = this.#tree.find(staleMs, budget);
      budget -= 1 + this.#tree.repairs;
      if (slot === 0) break;
      this.#sweptAtMs = nowMs;
      this.#remove(slot, EXPIRED);
    }
    const restMs = budget > 0 ? this.#sweptAtMs + SWEEP_EVERY_MS - nowMs : NEXT_SLICE_MS;
    time.wakeIn(Math.max(this.#tree.earliest + staleMs - nowMs, restMs));
    time.wakeIn(this.ringing());
    this.tell();
  }
}
