/**
 * The hot part of the data: a bounded, time-aware cache over the store; `--cache-policy` says what leaves it first.
 *
 * The store decides what a key holds. Memory is filled only with what the store has just returned. A change replaces a record only if its stamp is
 * greater. A change that is *older* than the record (a late arrival, or a write that was given a new stamp) drops the record, so that the next read
 * asks the store again. Everything here is synchronous: nothing comes between a read and its refill.
 *
 * Memory observes the change feed. Others' entries replace only what it holds; what clients write here it takes in, because they
 * are likely to read it. Between `announce` and `land` it watches the keys of their writes: an own entry that has become durable is
 * taken in without asking the store only if nothing newer has come meanwhile.
 *
 * What clients of other nodes use can be warmed: taken in before anybody has asked for it here, where there is room for it.
 */
import {
  TlruCache,
  type CacheClock,
  type CacheStats,
  type DueRank,
  type RemovalReason,
} from "@meridian/cache";
import type { Metrics } from "@meridian/runtime";
import { compareStamps, isLive, type Entry, type Stamp } from "@meridian/protocol";

import {
  compareHeld,
  EntryPacker,
  expiryOf,
  timeOf,
  type CachedRecord,
  type Held,
} from "./cached-record.ts";
import type { ChangeObserver } from "./change-feed.ts";
import { WarmedKeys } from "./warmed-keys.ts";

/** About how many bytes an entry takes beside its key and value, packed and as it is. */
const PACKED_BYTES = 110;
const ENTRY_BYTES = 500;

/** Which entry leaves memory first, as `--cache-policy` says it. */
export type CachePolicy = "lru" | "adaptive" | "due";

/** Of entries that come at once, the last so many are taken in, which takes a few milliseconds. What memory holds of the keys of the others, it drops. */
const TAKEN_IN_MAX = 256;

/** The bounds of a `Memory`, and its time. */
export interface MemoryOptions {
  readonly entriesMax: number;
  /** Keys, values and what holds them count towards it: about 150 bytes an entry, 500 for one that is not packed. */
  readonly bytesMax: number;
  /** The largest value that is packed, in bytes. What is packed lies in V8's heap. */
  readonly packedBytesMax: number;
  readonly policy: CachePolicy;
  /** For how long a record is answered before the store is asked again, in milliseconds; Infinity for as long as it lives. */
  readonly trustMs: number;
  /** The time by which expiry is judged, in milliseconds since the Unix epoch. */
  readonly nowMs: () => number;
  /** For the timer that frees what has expired. */
  readonly clock: CacheClock;
  readonly metrics: Metrics;
  /** Whether entries are warmed. */
  readonly warms?: boolean;
}

const REASONS = ["evicted", "expired", "deleted", "cleared", "replaced", "rejected"] as const;

/** What memory holds, and counts of what left it. */
export interface MemoryStats {
  readonly entries: number;
  readonly bytes: number;
  /** Entries that left or were not let in, by reason. */
  readonly removals: CacheStats["removals"] & { readonly rejected: number };
}

/** What became of the entries that were warmed. */
export interface WarmingStats {
  /** Entries that were warmed since the start, and those of them that a client has read. */
  readonly warmed: number;
  readonly used: number;
  /** What those take that are still in memory, and that nobody has read yet. */
  readonly unusedBytes: number;
}

interface Flight {
  /** Writes of the key under way. */
  writes: number;
  /** The newest stamp that has come for the key meanwhile. */
  newest: Stamp | undefined;
}

/** A stamp above every other. Once it has come for a key, only the store knows the key's newest entry. */
const UNKNOWN: Stamp = { time: Infinity, origin: 0 };

/** Holds the records that are answered without asking the store. */
export class Memory implements ChangeObserver {
  readonly #cache: TlruCache<string, Held>;
  readonly #packer: EntryPacker;
  readonly #nowMs: () => number;
  readonly #entriesMax: number;
  readonly #bytesMax: number;
  /** Whether the store is asked again after a time. */
  readonly #isTimed: boolean;
  /** Invariant: memory has an entry of each of these keys. */
  readonly #unused: WarmedKeys;
  #warmed = 0;
  #used = 0;
  /** The keys of writes under way. */
  readonly #flights = new Map<string, Flight>();

  constructor(options: MemoryOptions) {
    this.#nowMs = options.nowMs;
    const { policy, trustMs } = options;
    this.#entriesMax = options.entriesMax;
    this.#bytesMax = options.bytesMax;
    this.#isTimed = trustMs < Infinity;
    this.#packer = new EntryPacker(options.packedBytesMax);
    this.#cache = new TlruCache<string, Held>({
      maxEntries: options.entriesMax,
      maxBytes: options.bytesMax,
      sizeOf: (held, key) => bytesOf(key, held),
      clock: options.clock,
      policy,
      // The due date of an entry and its stamp, whenever the store was asked for it.
      rank: policy === "due" ? rankOf : undefined,
      onEvict:
        options.warms === true ? (key, held, reason) => this.#onLeft(key, held, reason) : undefined,
      ttu: trustMs < Infinity ? (ttlMs) => Math.min(ttlMs, trustMs) : undefined,
    });
    this.#unused = new WarmedKeys(
      options,
      (key) => this.#cache.delete(key),
      () => options.clock.nowMs(),
    );
    this.#register(options);
  }

  /** The record of a key, marked as used, if memory holds it and it is live. */
  get(key: string): CachedRecord | undefined {
    const held = this.#cache.get(key);
    if (held === undefined) return undefined;
    if (isHeldLive(held, this.#nowMs())) {
      if (this.#unused.forget(key)) this.#used += 1;
      return this.#packer.recordOf(key, held);
    }
    this.#cache.delete(key);
    return undefined;
  }

  /** Whether memory holds this entry. Does not count as a use of it. */
  holds({ key, stamp }: Entry): boolean {
    const held = this.#cache.peek(key);
    return held !== undefined && compareHeld(held, stamp) === 0;
  }

  /**
   * Whether memory has nothing of a key that clients of other nodes have read so often. If it has an entry that was warmed and not used, that counts as
   * warmed now. Does not count as a use of it.
   */
  lacks(key: string, reads: number): boolean {
    this.#unused.reheat(key, reads);
    return this.#cache.peek(key) === undefined;
  }

  /**
   * Takes in what the store says is the newest entry of a key that memory lacks and clients of other nodes have read so often. Returns false if all that could make room for
   * it is hotter: there is none for colder ones of its size either. What is not live is passed over.
   */
  warm(entry: Entry, reads: number): boolean {
    const nowMs = this.#nowMs();
    const { key } = entry;
    if (!isLive(entry, nowMs)) return true;
    const held = this.#packer.hold(entry);
    const bytes = bytesOf(key, held);
    if (!this.#hasRoom(bytes) && !this.#unused.makeRoom(bytes, reads)) return false;
    if (!this.#put(key, held, nowMs)) return true;
    this.#unused.add(key, bytes, reads);
    this.#warmed += 1;
    return true;
  }

  /** Takes in what the store says is the newest entry of its key. Returns its record, undefined if it is not live. */
  fill(entry: Entry): CachedRecord | undefined {
    const nowMs = this.#nowMs();
    const { key } = entry;
    if (!isLive(entry, nowMs)) {
      this.#cache.delete(key);
      return undefined;
    }
    const held = this.#cache.peek(key);
    const order = held === undefined ? -1 : compareHeld(held, entry.stamp);
    if (order > 0) this.#cache.delete(key);
    if (order < 0) this.#put(key, this.#packer.hold(entry), nowMs);
    return this.#packer.recordOf(key, entry);
  }

  /** A write of the key begins. */
  announce(key: string): void {
    const flight = this.#flights.get(key);
    if (flight === undefined) this.#flights.set(key, { writes: 1, newest: undefined });
    else flight.writes += 1;
  }

  /** A write of the key is over. */
  land(key: string): void {
    const flight = this.#flights.get(key);
    if (flight === undefined) return;
    flight.writes -= 1;
    if (flight.writes === 0) this.#flights.delete(key);
  }

  changed(entries: readonly Entry[], isNew: boolean): void {
    let left = entries.length;
    for (const entry of entries) {
      if (left <= TAKEN_IN_MAX) this.#follow(entry, isNew);
      else this.#passOver(entry);
      left -= 1;
    }
  }

  /** Drops the records of these entries' keys. */
  restamped(entries: readonly Entry[]): void {
    for (const { key } of entries) {
      const flight = this.#flights.get(key);
      if (flight !== undefined) flight.newest = UNKNOWN;
      this.#cache.delete(key);
    }
  }

  stats(): MemoryStats {
    const { removals, rejected } = this.#cache.stats();
    return {
      entries: this.#cache.size,
      bytes: this.#cache.bytes,
      removals: { ...removals, rejected },
    };
  }

  warming(): WarmingStats {
    return { warmed: this.#warmed, used: this.#used, unusedBytes: this.#unused.bytes };
  }

  /** Stops the timer. */
  close(): void {
    this.#cache.close();
  }

  #register({ metrics, entriesMax, bytesMax }: MemoryOptions): void {
    metrics.level(() => [
      { name: "cacheEntries", now: this.#cache.size, max: entriesMax },
      { name: "cacheBytes", now: this.#cache.bytes, max: bytesMax },
    ]);
    const help = "Entries that have left memory or were not let in, by reason.";
    for (const reason of REASONS) {
      const read = (): number => this.stats().removals[reason];
      metrics.counted("meridian_cache_removals_total", help, read, { reason });
    }
  }

  /** Whoever asks for the key next asks the store. */
  #passOver({ key, stamp }: Entry): void {
    const flight = this.#flights.get(key);
    if (flight !== undefined && isNewest(stamp, flight)) flight.newest = stamp;
    this.#cache.delete(key);
  }

  #follow(entry: Entry, isNew: boolean): void {
    const flight = this.#flights.get(entry.key);
    const comesLast = isNewest(entry.stamp, flight);
    if (flight !== undefined && comesLast) flight.newest = entry.stamp;
    const held = this.#cache.peek(entry.key);
    if (held === undefined) {
      if (isNew && flight !== undefined && comesLast) this.fill(entry);
      return;
    }
    const order = compareHeld(held, entry.stamp);
    if (order > 0) this.#cache.delete(entry.key);
    if (order >= 0) return;
    this.fill(entry);
    // What is written here is used here.
    if (isNew) this.#unused.forget(entry.key);
    const now = this.#cache.peek(entry.key);
    if (now !== undefined) this.#unused.resize(entry.key, bytesOf(entry.key, now));
  }

  /** Returns whether it was let in. */
  #put(key: string, held: Held, nowMs: number): boolean {
    // Where memory is full, what was warmed beyond its part goes before what is used here.
    const bytes = bytesOf(key, held);
    if (this.#unused.isOver && !this.#hasRoom(bytes)) this.#unused.shrink(bytes);
    const expiresAtMs = expiryOf(held);
    return this.#cache.set(key, held, expiresAtMs === 0 ? Infinity : expiresAtMs - nowMs);
  }

  /**
   * What was held of a key has left, or something else is held of it. What was warmed and is still used elsewhere comes back, and another entry leaves in its place; but
   * not if memory has to ask the store again after a time, which would begin anew.
   */
  #onLeft(key: string, held: Held, reason: RemovalReason): void {
    if (reason === "replaced") return;
    const mayStay = reason === "evicted" && !this.#isTimed && this.#unused.mayStay(key);
    const nowMs = this.#nowMs();
    if (!mayStay || !isHeldLive(held, nowMs)) {
      this.#unused.forget(key);
    } else this.#put(key, held, nowMs);
  }

  #hasRoom(bytes: number): boolean {
    return this.#cache.size < this.#entriesMax && this.#cache.bytes + bytes <= this.#bytesMax;
  }
}

/** Whether nothing newer than `stamp` has come for a key since the first of its writes began. */
function isNewest(stamp: Stamp, flight: Flight | undefined): boolean {
  return flight?.newest === undefined || compareStamps(stamp, flight.newest) >= 0;
}

function rankOf(held: Held): DueRank {
  const expiresAtMs = expiryOf(held);
  return { due: expiresAtMs === 0 ? Infinity : expiresAtMs, state: timeOf(held) };
}

/** Whether what is held may be served: memory holds nothing that is deleted. */
function isHeldLive(held: Held, nowMs: number): boolean {
  return isLive({ deleted: false, expiresAtMs: expiryOf(held) }, nowMs);
}

/** About how many bytes a key and what is held of it take. */
function bytesOf(key: string, held: Held): number {
  const bytes =
    typeof held === "string" ? PACKED_BYTES + held.length : ENTRY_BYTES + held.value.byteLength;
  return 2 * key.length + bytes;
}
