/**
 * An index for many keys. Strings are in a table of their own, which has half a Map's memory, no largest
 * size, and a faster way to hash strings that were never hashed before, as those are that a server builds
 * for each request. Keys of other types are in native Maps.
 *
 * When a table is full, a larger one replaces it and determines anew where the keys differ. The same happens when
 * too many keys collide, because keys may come to differ in other places. If several tables fail soon after
 * each other, the next one hashes whole keys. If that does not help, somebody makes the keys collide on purpose,
 * and all keys go into Maps for good. The old table stays in use while each added key moves some of its
 * keys into the new one, so that no call moves all of them.
 */
import type { KeyIndex } from "./key-index.ts";
import { KeyMaps } from "./key-maps.ts";
import type { Slots } from "./slots.ts";
import { StringHasher, type KeyHasher } from "./string-hash.ts";
import { StringTable, TABLE_SLOTS_MAX } from "./string-table.ts";

/** The hasher while all keys are in Maps. */
const NO_HASH: KeyHasher = { hash: () => 0 };
const FIRST_SIZE = 31;
/** How many keys are sampled to learn where keys differ. */
const SAMPLE = 256;
/** How often tables whose hasher reads places may fail, before whole keys are hashed. */
const LEARNINGS = 3;
/** How many places of older tables are emptied for each added key. Half of the places hold a key. */
export const PLACES_PER_ADDITION = 32;

export class StringIndex implements KeyIndex {
  /** How many keys the last `add` has moved to the present table. */
  moved = 0;
  readonly #slots: Slots;
  readonly #seed: number;
  readonly #thorough: boolean;
  /** The hasher of the present table. A hash of 0 means that the key belongs in the maps. */
  #hasher: KeyHasher;
  #table: StringTable;
  /** The tables that are being emptied, the newest first. Invariant: a key is in exactly one of the tables and maps. */
  readonly #older: StringTable[] = [];
  readonly #maps: KeyMaps;
  /** How many tables have failed soon after each other. */
  #failures = 0;

  /** `thorough` must be set if a policy uses the hashes, too, because the policy remembers more keys than the index has. */
  constructor(slots: Slots, seed: number, thorough: boolean) {
    this.#slots = slots;
    this.#seed = seed;
    this.#thorough = thorough;
    this.#maps = new KeyMaps(slots);
    this.#hasher = new StringHasher(seed);
    this.#table = new StringTable(slots, this.#hasher, FIRST_SIZE);
  }

  /** The hash of a key; 0 for keys that belong in the maps. */
  hashOf(key: unknown): number {
    return typeof key === "string" ? this.#hasher.hash(key) : 0;
  }

  find(key: unknown, hash: number): number {
    if (hash !== 0) {
      const slot = this.#table.find(key as string, hash);
      if (slot !== 0 || this.#older.length === 0) return slot;
    }
    return this.#findElsewhere(key, hash);
  }

  add(slot: number, hash: number): void {
    this.moved = 0;
    this.#add(slot, hash);
    if (this.#older.length > 0) this.#emptyOlder();
  }

  remove(slot: number): void {
    const hash = this.#slots.hash(slot);
    if (hash === 0) this.#maps.remove(slot);
    else if (!this.#table.remove(slot, hash)) this.#removeOlder(slot, hash);
  }

  /** A method of its own, because a closure in the caller would slow down each of its calls. */
  #removeOlder(slot: number, hash: number): void {
    this.#older.some((table) => table.remove(slot, hash));
  }

  #findElsewhere(key: unknown, hash: number): number {
    if (typeof key === "string") {
      for (const table of this.#older) {
        const slot = table.find(key, table.hasher.hash(key));
        if (slot !== 0) return slot;
      }
    }
    return hash === 0 ? this.#maps.find(key) : 0;
  }

  #add(slot: number, hash: number): void {
    if (hash === 0) this.#addToMaps(slot);
    else if (!this.#table.add(slot, hash)) {
      this.#follow(slot);
      this.#add(slot, this.hashOf(this.#slots.key(slot)));
    }
  }

  #addToMaps(slot: number): void {
    this.#slots.setHash(slot, 0);
    this.#maps.add(slot);
  }

  /** Begins another table, or uses the maps from now on, and starts to empty the present table. */
  #follow(slot: number): void {
    const slots = this.#slots;
    const seed = this.#seed;
    const table = this.#table;
    if (table.hasServed) this.#failures = 0;
    else if (table.hasRoom(slot)) this.#failures++;
    this.#older.unshift(table);
    const failures = slot < TABLE_SLOTS_MAX ? this.#failures : Infinity;
    if (failures < LEARNINGS) {
      this.#hasher = StringHasher.learned(seed, sampleOf(slots), this.#thorough);
    } else this.#hasher = failures === LEARNINGS ? new StringHasher(seed) : NO_HASH;
    const size = this.#older.reduce((sum, one) => sum + one.size, 1);
    this.#table = new StringTable(slots, this.#hasher, this.#hasher === NO_HASH ? 0 : size);
  }

  #emptyOlder(): void {
    const oldest = this.#older.at(-1) as StringTable;
    for (let n = 0; n < PLACES_PER_ADDITION && oldest.size > 0; n++) oldest.moveNext(this.#move);
    if (oldest.size === 0) this.#older.pop();
  }

  /** Moves a slot of an older table to where it belongs now. Returns whether there was room. */
  readonly #move = (slot: number): boolean => {
    const table = this.#table;
    const hash = this.hashOf(this.#slots.key(slot));
    if (hash === 0) this.#addToMaps(slot);
    else if (!table.add(slot, hash)) {
      // A key without room is moved when the next key is added.
      if (table.hasRoom(slot)) this.#follow(slot);
      return false;
    }
    this.moved++;
    return true;
  };
}

/** A sample of the keys that are strings, from all slots. */
export function sampleOf(slots: Slots): string[] {
  const found: string[] = [];
  // Slots at equal distances often have keys that end in the same digits, so the distances vary.
  for (let n = 0, at = 0; n < SAMPLE; n++) {
    at = (Math.imul(at, 0x915f77f5) + 0x9e3779b1) >>> 0;
    const key = slots.key(at % slots.used);
    if (typeof key === "string") found.push(key);
  }
  return found;
}
