/**
 * A `CoreCache` that also loads missing values, explains why a key is present or absent, can be saved and restored,
 * and offers a policy that resists scans.
 */
import { AdaptivePolicy } from "./adaptive-policy.ts";
import { unexpected } from "./cache-error.ts";
import { CoreCache } from "./core-cache.ts";
import { DuePolicy, type DueRank } from "./due-policy.ts";
import { Loads, type Loader, type LoadOptions } from "./loads.ts";
import type { CoreOptions } from "./options.ts";
import { RemovalLog } from "./removal-log.ts";
import type { CacheStats, Explanation } from "./reports.ts";
import { checkSnapshot, type CacheSnapshot } from "./snapshot.ts";
import { StringIndex } from "./string-index.ts";

/** The options of a `TlruCache` besides those of a `CoreCache`. */
export interface TlruExtras<K = unknown, V = unknown> {
  /**
   * Which live entry is evicted first: the least recently used (`lru`, the default), one that was seldom used (`adaptive`; `README.md`
   * compares the two), or the one whose time is over first (`due`), and among those without a time the one that was set first.
   */
  readonly policy?: "lru" | "adaptive" | "due" | undefined;
  /**
   * How long after its time an entry is kept for `getOrLoad` to serve while it loads a new one, in
   * milliseconds. Default 0. All other calls treat such an entry as gone, and when room is needed it
   * goes first.
   */
  readonly staleMs?: number | undefined;
  /** With the policy `due`: what decides instead of the time of the entry and of when it was set. */
  readonly rank?: ((value: V, key: K) => DueRank) | undefined;
}

const POLICIES = { lru: undefined, adaptive: AdaptivePolicy, due: DuePolicy };

/** Options of a `TlruCache`. */
export type TlruOptions<K, V> = CoreOptions<K, V> & TlruExtras<K, V>;

/** A bounded cache whose entries have a time to use. Keys are equal as in a `Map`. */
export class TlruCache<K, V> extends CoreCache<K, V> {
  readonly #log = new RemovalLog<K>(this.time);
  readonly #loads: Loads<K, V>;
  #staleHits = 0;
  #loadErrors = 0;

  /** Throws `BAD_OPTION` if an option is out of its range or no bound is given. */
  constructor(options: TlruOptions<K, V>) {
    const { policy = "lru", staleMs = 0, rank } = options;
    if (!Object.hasOwn(POLICIES, policy)) {
      throw unexpected("BAD_OPTION", "policy", "as `lru`, `adaptive` or `due`", policy);
    }
    super(options, {
      index: (slots, seed) => new StringIndex(slots, seed, policy === "adaptive"),
      Policy: POLICIES[policy],
    });
    if (!(typeof staleMs === "number" && staleMs >= 0)) {
      throw unexpected("BAD_OPTION", "staleMs", "of 0 or more", staleMs);
    }
    if (rank !== undefined && (policy !== "due" || typeof rank !== "function")) {
      throw unexpected("BAD_OPTION", "rank", "as a function, with the policy `due`", rank);
    }
    // Only here, because an override would cost each set of every cache some nanoseconds.
    if (rank !== undefined) {
      this.put = (key, value, useMs, bytes) => {
        (this.policy as DuePolicy).rankNext(checkedRank(rank(value, key)));
        return super.put(key, value, useMs, bytes);
      };
    }
    this.staleMs = staleMs;
    this.#loads = new Loads({
      nowMs: () => this.time.refresh(),
      wakeIn: (delayMs) => this.time.wakeIn(delayMs),
      store: (key, value, ttlMs) => this.set(key, value, ttlMs),
      failed: (error, key, background) => {
        this.#loadErrors++;
        if (background) this.report(error, key);
      },
    });
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
    const slot = this.find(key);
    if (slot !== 0) {
      const value = this.slots.value(slot) as V;
      if (this.isLive(slot)) {
        // Counts and marks.
        return Promise.resolve(this.get(key) as V);
      }
      if (this.isKept(slot)) {
        this.#staleHits++;
        this.policy.use(slot, false);
        this.#loads.refresh(key, load, options, value);
        return Promise.resolve(value);
      }
    }
    // Counts, and frees what is past its time.
    this.get(key);
    return this.#loads.wait(key, load, options);
  }

  /** Counts since the cache was made. */
  override stats(): CacheStats {
    return { ...super.stats(), staleHits: this.#staleHits, loadErrors: this.#loadErrors };
  }

  /** Why a key is here or is not; neither marks nor counts. For people: it may search a little. */
  explain(key: K): Explanation {
    const loading = this.#loads.has(key);
    const slot = this.find(key);
    const nowMs = this.time.refresh();
    if (slot !== 0) {
      const remainingMs = this.remaining(slot);
      if (!this.isKept(slot)) {
        return { state: "absent", reason: "expired", agoMs: -remainingMs, loading };
      }
      const bytes = this.slots.bytes(slot);
      return { state: remainingMs > 0 ? "live" : "stale", remainingMs, bytes, loading };
    }
    const fate = this.#log.find(key);
    const reason = fate?.reason ?? "unknown";
    return { state: "absent", reason, agoMs: fate && nowMs - fate.atMs, loading };
  }

  /** All entries whose time is not over, with their order and remaining time. */
  snapshot(): CacheSnapshot<K, V> {
    const entries: [K, V, number | null][] = [];
    for (const slot of this.inOrder()) {
      const ms = this.remaining(slot);
      const { slots } = this;
      entries.push([slots.key(slot) as K, slots.value(slot) as V, ms === Infinity ? null : ms]);
    }
    return { version: 1, entries };
  }

  /**
   * Replaces the content by that of a snapshot, in its order; if it is too much, the first of it leave.
   * `elapsedMs` is how long ago the snapshot was taken, and is taken off all remaining times. Returns how
   * many entries are here then. Throws `BAD_SNAPSHOT`, `BAD_SIZE`, and `BAD_TTL` for a time that is none or below 0;
   * then nothing has changed.
   */
  restore(snapshot: CacheSnapshot<K, V>, elapsedMs = 0): number {
    checkSnapshot(snapshot);
    if (typeof elapsedMs !== "number" || !(elapsedMs >= 0))
      throw unexpected("BAD_TTL", "elapsedMs", "from 0", elapsedMs);
    const sizes = snapshot.entries.map(([key, value]) => this.sizeOf(key, value));
    this.removeAll();
    snapshot.entries.forEach(([key, value, remainingMs], at) => {
      const useMs = remainingMs === null ? Infinity : remainingMs - elapsedMs;
      if (useMs > 0) this.put(key, value, useMs, sizes[at] as number);
    });
    this.tell();
    return this.size;
  }

  protected override changing(key: K): void {
    this.#loads.supersede(key);
  }

  protected override leaving(key: K, reason: number): void {
    this.#log.note(key, reason);
  }

  protected override ringing(): number {
    return this.#loads.expire();
  }

  protected override removeAll(): void {
    this.#loads.supersedeAll();
    super.removeAll();
  }
}

/** Throws `BAD_RANK` unless both are numbers. */
function checkedRank({ due, state }: DueRank): DueRank {
  for (const part of [due, state]) {
    if (typeof part !== "number" || Number.isNaN(part)) {
      throw unexpected("BAD_RANK", "rank", "to return `due` and `state` as numbers", part);
    }
  }
  return { due, state };
}
