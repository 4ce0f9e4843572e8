/**
 * Finds the slot of a key. Keys are equal as in a `Map`: by value for primitives (NaN equals NaN, 1 is
 * not "1"), by identity for objects.
 *
 * A few keys are in a native Map, and keys of other types always are. From some hundred on, strings are in
 * a table of their own, which has half a Map's memory, no largest size, and a faster way to hash strings
 * that were never hashed before, as those are that a server builds for each request.
 *
 * A table that is full is followed by a larger one. A table whose keys collide too much is followed by one
 * that learned anew how the keys differ; after some of these by one that reads keys whole; and if that does
 * not help, somebody makes them collide, and Maps it is for good. In any case the older table stays in use
 * while each added key takes some of its keys along, so that no call has to move them all.
 */
import { KeyMaps } from "./key-maps.ts";
import { HASH, type Slots } from "./slots.ts";
import { StringHasher } from "./string-hash.ts";
import { StringTable, TABLE_SLOTS_MAX } from "./string-table.ts";

/** With fewer keys there is too little to learn from, and a Map is as fast as anything. */
const SMALL = 256;
/** How often to learn how the keys differ before reading them whole. */
const LEARNINGS = 3;
/** Places of an older table that are looked at for each added key; half of them hold one. */
export const PLACES_PER_ADDITION = 32;

export class KeyIndex {
  /** Keys moved by the last `add`, beside the one added. */
  moved = 0;
  readonly #slots: Slots;
  readonly #seed: number;
  readonly #maps: KeyMaps;
  /** Where strings go; if undefined, into the maps. */
  #table: StringTable | undefined;
  /** Tables being emptied, the newest first. Invariant: a key is in one of all tables and maps. */
  readonly #older: StringTable[] = [];
  /** Tables that were begun because the one before was no good. */
  #beginnings = 0;

  constructor(slots: Slots, seed: number) {
    this.#slots = slots;
    this.#seed = seed;
    this.#maps = new KeyMaps(slots);
  }

  /** The slot of a key, or 0. */
  find(key: unknown): number {
    const table = this.#table;
    if (table === undefined || typeof key !== "string") return this.findHashed(key, 0);
    const slot = table.find(key, table.hasher.hash(key));
    return slot !== 0 || this.#older.length === 0 ? slot : this.#findOlder(key);
  }

  /** A hash of a key, so that finding and then adding hashes once; 0 for keys that belong in the maps. */
  hashOf(key: unknown): number {
    const table = this.#table;
    return table !== undefined && typeof key === "string" ? table.hasher.hash(key) : 0;
  }

  /** The slot of a key with this hash, or 0. */
  findHashed(key: unknown, hash: number): number {
    const slot =
      hash === 0 ? this.#maps.find(key) : (this.#table as StringTable).find(key as string, hash);
    return slot === 0 && this.#older.length > 0 ? this.#findOlder(key) : slot;
  }

  /** Adds the key in this slot, which must not be there yet. Only this changes what `hashOf` answers. */
  add(slot: number, hash: number): void {
    this.moved = 0;
    this.#add(slot, hash);
    if (this.#beginnings === 0 && this.#maps.size > SMALL) this.#leaveMaps();
    if (this.#older.length > 0) this.#emptyOlder();
  }

  /** Removes the key in this slot, which must be there. */
  remove(slot: number): void {
    const hash = this.#slots.word(slot, HASH);
    if (hash === 0) this.#maps.remove(slot);
    else if (this.#table?.remove(slot, hash) !== true) {
      this.#older.some((table) => table.remove(slot, hash));
    }
  }

  /** Keys in tables. */
  get #strings(): number {
    return this.#older.reduce((sum, one) => sum + one.size, this.#table?.size ?? 0);
  }

  #findOlder(key: unknown): number {
    if (typeof key !== "string") return 0;
    for (const table of this.#older) {
      const slot = table.find(key, table.hasher.hash(key));
      if (slot !== 0) return slot;
    }
    return 0;
  }

  #add(slot: number, hash: number): void {
    const table = this.#table;
    if (table === undefined || hash === 0) this.#maps.add(slot);
    else if (!table.hasRoom(slot) && slot < TABLE_SLOTS_MAX) {
      this.#follow(new StringTable(this.#slots, table.hasher, this.#strings + 1));
      this.#add(slot, hash);
    } else if (slot >= TABLE_SLOTS_MAX || !table.add(slot, hash)) {
      this.#begin();
      this.#add(slot, this.hashOf(this.#slots.key(slot)));
    }
  }

  /** Goes on with another table, or with the maps, and empties the present one into it. */
  #follow(table: StringTable | undefined): void {
    if (this.#table !== undefined) this.#older.unshift(this.#table);
    this.#table = table;
  }

  /** Goes on with another way to read keys. */
  #begin(): void {
    const slots = this.#slots;
    const begun = this.#beginnings++;
    if (begun > LEARNINGS || slots.used > TABLE_SLOTS_MAX) return this.#follow(undefined);
    const hasher =
      begun < LEARNINGS
        ? StringHasher.learned(this.#seed, slots.strings(StringHasher.SAMPLE))
        : StringHasher.whole(this.#seed);
    this.#follow(new StringTable(slots, hasher, Math.max(SMALL, this.#strings) + 1));
  }

  /** Moves the first strings into a first table. */
  #leaveMaps(): void {
    this.#begin();
    for (let slot = this.#slots.next(0); slot !== 0; slot = this.#slots.next(slot)) {
      const key = this.#slots.key(slot);
      if (typeof key !== "string") continue;
      this.#maps.remove(slot);
      this.#add(slot, this.hashOf(key));
      this.moved++;
    }
  }

  #emptyOlder(): void {
    const oldest = this.#older.at(-1) as StringTable;
    for (let n = 0; n < PLACES_PER_ADDITION && oldest.size > 0; n++) oldest.moveNext(this.#move);
    if (oldest.size === 0) this.#older.pop();
  }

  /** Puts a slot of an older table where it belongs now; whether it could. */
  readonly #move = (slot: number): boolean => {
    const table = this.#table;
    if (table === undefined) this.#maps.add(slot);
    else if (!table.hasRoom(slot)) return false;
    else if (!table.add(slot, table.hasher.hash(this.#slots.key(slot) as string))) {
      this.#begin();
      return false;
    }
    this.moved++;
    return true;
  };
}
