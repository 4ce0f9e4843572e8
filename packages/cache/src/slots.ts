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
 * Slot 0 is never an entry: "no slot", and the anchor of every circular list of slots.
 * Invariant: a slot is on the free list iff its key is `FREE`; a slot that is free or was never used never
 * expires, and its hash is 0.
 */
export const PAGE_LOG2 = 12;
/** Slots in a page of keys and values. */
export const PAGE: number = 2 ** PAGE_LOG2;
export const IN_PAGE: number = PAGE - 1;

/** Words (int32) and float64s per record. */
export const WORDS = 6;
export const FLOATS = 3;
/** The words of a record that have a name. */
export const BEFORE = 2;
export const AFTER = 3;
export const HASH = 4;
export const BYTES = 5;

/** Stands where the key of a free slot would be; no caller can have it. */
export const FREE: unique symbol = Symbol("free");

const FIRST_CAPACITY = 64;
/** The most entries of any cache; more would not fit into its words. */
export const ENTRIES_MAX: number = 2 ** 26;
/**
 * A cache that fills this gets all the records it may need, so that they are not copied again: untouched
 * memory is free. One whose number of entries has no bound gets so many, and after them twice as many.
 */
const DOUBLING_MAX = 2 ** 16;
const RESERVE_UNKNOWN = 2 ** 21;

export class Slots {
  /** Slots ever used, with slot 0. Invariant: used ≤ capacity. */
  used = 1;
  /** What `used` never exceeds. */
  readonly usedMax: number;
  /** Slots there is memory for, with slot 0. */
  #capacity = 0;
  #free = 0;
  /** Invariant: both are views of the same buffer. Replaced when the slots grow. */
  words: Int32Array = new Int32Array(0);
  /** The first float64 of a record is its expiry. */
  times: Float64Array = new Float64Array(0);
  /** Key of a page's slot i at 2i, value at 2i + 1. */
  readonly pairs: unknown[][] = [];

  constructor(entriesMax: number) {
    this.usedMax = entriesMax + 1;
    this.#grow();
    (this.pairs[0] as unknown[])[0] = FREE;
  }

  key(slot: number): unknown {
    return (this.pairs[slot >>> PAGE_LOG2] as unknown[])[(slot & IN_PAGE) * 2];
  }

  value(slot: number): unknown {
    return (this.pairs[slot >>> PAGE_LOG2] as unknown[])[(slot & IN_PAGE) * 2 + 1];
  }

  setValue(slot: number, value: unknown): void {
    (this.pairs[slot >>> PAGE_LOG2] as unknown[])[(slot & IN_PAGE) * 2 + 1] = value;
  }

  /** One of the named words of a record. */
  word(slot: number, name: number): number {
    return this.words[slot * WORDS + name] as number;
  }

  setWord(slot: number, name: number, word: number): void {
    this.words[slot * WORDS + name] = word;
  }

  expiresAt(slot: number): number {
    return this.times[slot * FLOATS] as number;
  }

  setExpiresAt(slot: number, expiresAt: number): void {
    this.times[slot * FLOATS] = expiresAt;
  }

  /** What the entry counts for. */
  bytes(slot: number): number {
    return (this.words[slot * WORDS + BYTES] as number) >>> 0;
  }

  /** Takes a free slot for a key, a value and their size; the caller fills in the rest of its record. */
  take(key: unknown, value: unknown, bytes: number): number {
    let slot = this.#free;
    if (slot === 0) {
      if (this.used === this.#capacity) this.#grow();
      slot = this.used++;
    } else this.#free = this.words[slot * WORDS + AFTER] as number;
    this.words[slot * WORDS + BYTES] = bytes;
    const pairs = this.pairs[slot >>> PAGE_LOG2] as unknown[];
    const at = (slot & IN_PAGE) * 2;
    pairs[at] = key;
    pairs[at + 1] = value;
    return slot;
  }

  /** Gives a slot back and lets go of its key and value. */
  release(slot: number): void {
    const { words } = this;
    this.times[slot * FLOATS] = Infinity;
    words[slot * WORDS + HASH] = 0;
    words[slot * WORDS + AFTER] = this.#free;
    const pairs = this.pairs[slot >>> PAGE_LOG2] as unknown[];
    const at = (slot & IN_PAGE) * 2;
    pairs[at] = FREE;
    pairs[at + 1] = undefined;
    this.#free = slot;
  }

  /** Makes the first page twice as long, or adds one; doubles the records when they are full. */
  #grow(): void {
    const page = Math.floor(this.#capacity / PAGE);
    const before = page * PAGE;
    const length = page > 0 ? PAGE : Math.max(FIRST_CAPACITY, this.#capacity * 2);
    const slots = Math.min(length, this.usedMax - before);
    // An array that grows by itself keeps up to half of its memory in reserve; this one keeps none.
    // oxlint-disable-next-line unicorn/no-new-array -- Array.from would grow by itself again
    const pairs = new Array<unknown>(slots * 2).fill(undefined);
    this.pairs[page]?.forEach((one, at) => (pairs[at] = one));
    this.pairs[page] = pairs;
    this.#capacity = before + slots;
    if (this.words.length < this.#capacity * WORDS) this.#growRecords();
  }

  #growRecords(): void {
    const { used, usedMax } = this;
    let records = Math.max(this.#capacity, used * 2);
    if (used >= DOUBLING_MAX) {
      const reserve = usedMax > ENTRIES_MAX ? RESERVE_UNKNOWN : usedMax;
      if (used < reserve) records = reserve;
    }
    const words = new Int32Array(Math.min(records, usedMax) * WORDS);
    words.set(this.words);
    this.words = words;
    this.times = new Float64Array(words.buffer);
    this.times[0] = Infinity;
  }
}
