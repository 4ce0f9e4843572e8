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
/** Keys worth looking at to learn where they differ. */
const SAMPLE = 256;
/** How often tables that learned how the keys differ may fail before keys are read whole. */
const LEARNINGS = 3;
/** Places of an older table that are looked at for each added key; half of them hold one. */
export const PLACES_PER_ADDITION = 32;

export class StringIndex implements KeyIndex {
  /** Keys moved by the last `add`, beside the one added. */
  moved = 0;
  readonly #slots: Slots;
  readonly #seed: number;
  readonly #thorough: boolean;
  /** Of the table's. A hash of 0 means that the key is, or goes, into the maps. */
  #hasher: KeyHasher;
  #table: StringTable;
  /** Tables being emptied, the newest first. Invariant: a key is in one of all tables and maps. */
  readonly #older: StringTable[] = [];
  readonly #maps: KeyMaps;
  /** Tables that turned out to be no good, one soon after the other. */
  #failures = 0;

  /** `thorough`: the hashes serve a policy, too, which knows more keys than are here. */
  constructor(slots: Slots, seed: number, thorough: boolean) {
    this.#slots = slots;
    this.#seed = seed;
    this.#thorough = thorough;
    this.#maps = new KeyMaps(slots);
    this.#hasher = new StringHasher(seed);
    this.#table = new StringTable(slots, this.#hasher, FIRST_SIZE);
  }

  /** 0 for keys that belong in the maps. */
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

  /** Apart, because a function that makes a closure pays for it at every call. */
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

  /** Goes on with another table, or with the maps, and empties the present one into it. */
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

  /** Puts a slot of an older table where it belongs now; whether it could. */
  readonly #move = (slot: number): boolean => {
    const table = this.#table;
    const hash = this.hashOf(this.#slots.key(slot));
    if (hash === 0) this.#addToMaps(slot);
    else if (!table.add(slot, hash)) {
      // What has no room now gets it with the next key.
      if (table.hasRoom(slot)) this.#follow(slot);
      return false;
    }
    this.moved++;
    return true;
  };
}

/** Some of the keys that are strings, from all over the slots. */
export function sampleOf(slots: Slots): string[] {
  const found: string[] = [];
  // Slots at equal distances would often hold keys that end in the same digits.
  for (let n = 0, at = 0; n < SAMPLE; n++) {
    at = (Math.imul(at, 0x915f77f5) + 0x9e3779b1) >>> 0;
    const key = slots.key(at % slots.used);
    if (typeof key === "string") found.push(key);
  }
  return found;
}
