/**
 * Where entries live. An entry is a small number, its slot, for as long as it stays in the cache.
 *
 * Each slot has a 24-byte record in one ArrayBuffer, seen through two views:
 *
 *     byte 0        8      12          16        20      24
 *          expiresAt | before    | after   | hash | bytes |
 *          float64   | int32     | int32   | int32| uint32|
 *
 * and two elements of an array for its key and value. Records of one size in a buffer cost the garbage
 * collector nothing, and a lookup finds time and order beside each other, mostly in one cache line.
 *
 * Keys and values lie in pages of 4,096 slots, so that growing means one more page: copying an array of
 * references takes milliseconds per hundred thousand. Records are copied when they double, for copying
 * their bytes is several times as fast, while pages of them would slow down most calls by a fifth or more.
 *
 * The numbers of this layout are spelled out in the accessors: engines fold a literal into an address, but
 * look up a constant of another module, and check its type, at every use.
 *
 * Slot 0 is never an entry: "no slot", and the anchor of every circular list of slots.
 * Invariant: a slot is on the free list iff its key is `FREE`; a free slot never expires.
 */

/** Slots in a page of keys and values. */
export const PAGE = 4_096;

/** Float64s per record; the first is its expiry. */
export const FLOATS = 3;

/** The key of a free slot. No caller can have this symbol. */
export const FREE: unique symbol = Symbol("free");

const FIRST_CAPACITY = 64;
/** The most entries of any cache. Their records take 1.5 GiB, so that byte offsets stay below 2^31. */
export const ENTRIES_MAX: number = 2 ** 26;
/**
 * Records double up to this number of entries. Then a cache gets all records that `maxEntries` allows, so that they are not copied
 * again; the operating system gives memory only to records that are used. A cache without `maxEntries` gets `RESERVE_UNKNOWN` records, and after them twice as many.
 */
const DOUBLING_MAX = 2 ** 16;
const RESERVE_UNKNOWN = 2 ** 21;

export class Slots {
  /** Slots ever used, with slot 0. Invariant: used ≤ capacity. */
  used = 1;
  /** The bound of `used`. */
  readonly usedMax: number;
  /** How many slots have memory, with slot 0. */
  #capacity = 0;
  #free = 0;
  /** The records as 32-bit words. Invariant: `words` and `times` are views of the same buffer, which is replaced when the slots grow. */
  words: Int32Array = new Int32Array(0);
  /** The first float64 of a record is its expiry. */
  times: Float64Array = new Float64Array(0);
  /** Key of a page's slot i at 2i, value at 2i + 1. */
  readonly pairs: unknown[][] = [];

  constructor(entriesMax: number) {
    this.usedMax = entriesMax + 1;
    this.#grow();
    this.put(0, FREE, undefined);
  }

  key(slot: number): unknown {
    return (this.pairs[slot >>> 12] as unknown[])[(slot & 4_095) << 1];
  }

  value(slot: number): unknown {
    return (this.pairs[slot >>> 12] as unknown[])[((slot & 4_095) << 1) + 1];
  }

  setValue(slot: number, value: unknown): void {
    (this.pairs[slot >>> 12] as unknown[])[((slot & 4_095) << 1) + 1] = value;
  }

  expiresAt(slot: number): number {
    return this.times[slot * 3] as number;
  }

  setExpiresAt(slot: number, expiresAt: number): void {
    this.times[slot * 3] = expiresAt;
  }

  /** The slot before `slot` in the circular list that the policy keeps. */
  before(slot: number): number {
    return this.words[slot * 6 + 2] as number;
  }

  setBefore(slot: number, before: number): void {
    this.words[slot * 6 + 2] = before;
  }

  after(slot: number): number {
    return this.words[slot * 6 + 3] as number;
  }

  setAfter(slot: number, after: number): void {
    this.words[slot * 6 + 3] = after;
  }

  hash(slot: number): number {
    return this.words[slot * 6 + 4] as number;
  }

  setHash(slot: number, hash: number): void {
    this.words[slot * 6 + 4] = hash;
  }

  /** How many bytes the entry counts for. */
  bytes(slot: number): number {
    return (this.words[slot * 6 + 5] as number) >>> 0;
  }

  setBytes(slot: number, bytes: number): void {
    this.words[slot * 6 + 5] = bytes;
  }

  /** Takes a free slot, whose expiry is Infinity; the caller fills it. */
  take(): number {
    const slot = this.#free;
    if (slot !== 0) {
      this.#free = this.after(slot);
      return slot;
    }
    if (this.used === this.#capacity) this.#grow();
    this.setExpiresAt(this.used, Infinity);
    return this.used++;
  }

  /** Puts a key and its value into a slot; the caller fills in its record. */
  put(slot: number, key: unknown, value: unknown): void {
    const page = this.pairs[slot >>> 12] as unknown[];
    const at = (slot & 4_095) << 1;
    page[at] = key;
    page[at + 1] = value;
  }

  /** Frees a slot, and drops its key and value. */
  release(slot: number): void {
    this.put(slot, FREE, undefined);
    this.setExpiresAt(slot, Infinity);
    this.setAfter(slot, this.#free);
    this.#free = slot;
  }

  /** Makes the first page twice as long, or adds one; doubles the records when they are full. */
  #grow(): void {
    const page = this.#capacity >>> 12;
    const before = page * PAGE;
    const length = page > 0 ? PAGE : Math.max(FIRST_CAPACITY, this.#capacity * 2);
    const slots = Math.min(length, this.usedMax - before);
    // An array that grows by itself reserves up to half as much memory again. An array of a given length reserves none.
    // oxlint-disable-next-line unicorn/no-new-array -- Array.from would grow by itself again
    const pairs = new Array<unknown>(slots * 2).fill(undefined);
    this.pairs[page]?.forEach((one, at) => (pairs[at] = one));
    this.pairs[page] = pairs;
    this.#capacity = before + slots;
    if (this.words.length < this.#capacity * 6) this.#growRecords();
  }

  #growRecords(): void {
    const { used, usedMax } = this;
    let records = Math.max(this.#capacity, used * 2);
    if (used >= DOUBLING_MAX) {
      const reserve = usedMax > ENTRIES_MAX ? RESERVE_UNKNOWN : usedMax;
      if (used < reserve) records = reserve;
    }
    const words = new Int32Array(Math.min(records, usedMax) * 6);
    words.set(this.words);
    this.words = words;
    this.times = new Float64Array(words.buffer);
    this.times[0] = Infinity;
  }
}
