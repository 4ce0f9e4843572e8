import type { Slots } from "./slots.ts";

/**
 * Finds the slot of a key. Keys are equal as in a `Map`: by value for primitives (NaN equals NaN, 1 is
 * not "1"), by identity for objects.
 */
export interface KeyIndex {
  /** A hash of a key, so that finding and then adding hashes once; 0 if the index needs none. */
  hashOf(key: unknown): number;
  /** The slot of a key with this hash, or 0. */
  find(key: unknown, hash: number): number;
  /** Adds the key in this slot, which must not be in the index. Only `add` may change the results of `hashOf`. */
  add(slot: number, hash: number): void;
  /** Removes the key in this slot, which must be in the index. */
  remove(slot: number): void;
}

/** Makes the index of a cache whose entries are in `slots`. `seed` makes its hashes unpredictable. */
export type IndexMaker = (slots: Slots, seed: number) => KeyIndex;
