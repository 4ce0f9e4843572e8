/**
 * The keys in memory that were warmed, because clients of other nodes use them, and that no client has read here yet.
 *
 * While memory has room, they may take all of it. In a full memory they have a sixteenth: what exceeds that leaves before anything that is used here, the coldest first, and what is within it stays
 * as long as others go on using it, although nobody reads it here. What is warmed displaces only what was warmed before and is colder.
 *
 * How hot a key is halves with time. So its rank is the binary logarithm of its reads and of the time when that was told: a key told with 8 reads ranks as one told with 4 reads half a minute later. Ranks
 * do not change by themselves, and the coldest key is one of those with the lowest rank.
 */

/** Which part of a full memory they have. */
const SHARE = 1 / 16;

/** In this time, in milliseconds, a key that nobody tells again becomes half as hot. */
const HALVE_MS = 30_000;

/** For this time, in milliseconds, a key counts as used by others: twice as long as it takes until they tell it again. */
const USED_MS = 120_000;

/** The bounds of memory. */
export interface MemoryBounds {
  readonly entriesMax: number;
  readonly bytesMax: number;
}

interface Warmed {
  readonly bytes: number;
  readonly rank: number;
  readonly toldAtMs: number;
}

/** Keeps track of the keys that were warmed and not used. */
export class WarmedKeys {
  readonly #drop: (key: string) => void;
  readonly #nowMs: () => number;
  readonly #bytesMax: number;
  readonly #entriesMax: number;
  readonly #keys = new Map<string, Warmed>();
  /** Invariant: has each key under its rank, and no rank without keys. */
  readonly #byRank = new Map<number, Set<string>>();
  #bytes = 0;

  /** `drop` takes a key out of memory; `nowMs` is a time that never jumps. */
  constructor(bounds: MemoryBounds, drop: (key: string) => void, nowMs: () => number) {
    this.#drop = drop;
    this.#nowMs = nowMs;
    this.#bytesMax = bounds.bytesMax * SHARE;
    this.#entriesMax = Math.floor(bounds.entriesMax * SHARE);
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Whether they take more than they may where memory is full. */
  get isOver(): boolean {
    return this.#bytes > this.#bytesMax || this.#keys.size > this.#entriesMax;
  }

  /** Takes in a key that takes so many bytes of memory and that clients of other nodes have read so often. */
  add(key: string, bytes: number, reads: number): void {
    this.#put(key, { bytes, rank: this.#rankOf(reads), toldAtMs: this.#nowMs() });
  }

  /** The value of a key has been replaced. */
  resize(key: string, bytes: number): void {
    const warmed = this.#keys.get(key);
    if (warmed !== undefined) this.#put(key, { ...warmed, bytes });
  }

  /** Clients of other nodes have read a key so often. */
  reheat(key: string, reads: number): void {
    const warmed = this.#keys.get(key);
    if (warmed !== undefined) this.add(key, warmed.bytes, reads);
  }

  /** A key is used here, or has left memory. Returns whether it was one of these. */
  forget(key: string): boolean {
    if (this.#keys.size === 0) return false;
    const warmed = this.#keys.get(key);
    if (warmed === undefined) return false;
    this.#keys.delete(key);
    this.#bytes -= warmed.bytes;
    const alike = this.#byRank.get(warmed.rank);
    alike?.delete(key);
    if (alike?.size === 0) this.#byRank.delete(warmed.rank);
    return true;
  }

  /** Whether a key stays in a full memory. */
  mayStay(key: string): boolean {
    const warmed = this.#keys.get(key);
    return warmed !== undefined && !this.isOver && this.#nowMs() - warmed.toldAtMs < USED_MS;
  }

  /** Makes room in a full memory for a key that clients of other nodes have read so often. Returns false if all that could leave is hotter. */
  makeRoom(bytes: number, reads: number): boolean {
    if (bytes > this.#bytesMax || this.#entriesMax === 0) return false;
    const rank = this.#rankOf(reads);
    for (let left = bytes; left > 0 && this.#hasNoRoom(bytes);) {
      const coldest = this.#coldest();
      if (coldest === undefined) return true;
      if (coldest.rank > rank) return false;
      left -= coldest.bytes;
      this.#remove(coldest.key);
    }
    return true;
  }

  /** Drops keys of so many bytes, the coldest first, but none once they take no more than they may. */
  shrink(bytes: number): void {
    for (let left = bytes; left > 0 && this.isOver;) {
      const coldest = this.#coldest();
      if (coldest === undefined) return;
      left -= coldest.bytes;
      this.#remove(coldest.key);
    }
  }

  #hasNoRoom(bytes: number): boolean {
    return this.#bytes + bytes > this.#bytesMax || this.#keys.size >= this.#entriesMax;
  }

  #coldest(): (Warmed & { readonly key: string }) | undefined {
    let lowest = Infinity;
    for (const rank of this.#byRank.keys()) if (rank < lowest) lowest = rank;
    const [key] = this.#byRank.get(lowest) ?? [];
    const warmed = key === undefined ? undefined : this.#keys.get(key);
    return key === undefined || warmed === undefined ? undefined : { key, ...warmed };
  }

  #rankOf(reads: number): number {
    return Math.floor(Math.log2(reads) + this.#nowMs() / HALVE_MS);
  }

  #remove(key: string): void {
    this.forget(key);
    this.#drop(key);
  }

  #put(key: string, warmed: Warmed): void {
    this.forget(key);
    this.#keys.set(key, warmed);
    this.#bytes += warmed.bytes;
    const alike = this.#byRank.get(warmed.rank);
    if (alike === undefined) this.#byRank.set(warmed.rank, new Set([key]));
    else alike.add(key);
  }
}
