import { HASH, type Slots } from "./slots.ts";

/**
 * Above about 2^23 live keys a Map under constant replacement wants to grow past 2^24 places and throws
 * instead, so no single one gets near that.
 */
const KEYS_PER_MAP_MAX = 2 ** 22;

/** Native Maps: the fastest way for few keys, and right for keys of every type. */
export class KeyMaps {
  readonly #slots: Slots;
  #map = new Map<unknown, number>();
  /** Maps that are full or were. Invariant: a key is in at most one of all the maps. */
  readonly #others: Map<unknown, number>[] = [];

  constructor(slots: Slots) {
    this.#slots = slots;
  }

  get size(): number {
    return this.#others.reduce((sum, map) => sum + map.size, this.#map.size);
  }

  find(key: unknown): number {
    const slot = this.#map.get(key);
    if (slot !== undefined) return slot;
    return this.#others.length === 0 ? 0 : this.#findElsewhere(key);
  }

  add(slot: number): void {
    if (this.#map.size >= KEYS_PER_MAP_MAX) this.#turnOver();
    this.#slots.setWord(slot, HASH, 0);
    this.#map.set(this.#slots.key(slot), slot);
  }

  remove(slot: number): void {
    const key = this.#slots.key(slot);
    if (this.#map.delete(key)) return;
    for (const map of this.#others) if (map.delete(key)) return;
  }

  #findElsewhere(key: unknown): number {
    for (const map of this.#others) {
      const slot = map.get(key);
      if (slot !== undefined) return slot;
    }
    return 0;
  }

  /** Goes on with the emptiest map if that has become half empty, else with a new one. */
  #turnOver(): void {
    this.#others.push(this.#map);
    this.#others.sort((a, b) => b.size - a.size);
    const emptiest = this.#others.at(-1) as Map<unknown, number>;
    this.#map = new Map();
    if (emptiest.size < KEYS_PER_MAP_MAX / 2) {
      this.#map = emptiest;
      this.#others.pop();
    }
  }
}
