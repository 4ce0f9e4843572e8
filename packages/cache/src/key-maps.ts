import type { KeyIndex } from "./key-index.ts";
import type { Slots } from "./slots.ts";

/**
 * With more than about 2^23 keys that are constantly replaced, a Map would have to grow beyond 2^24 places, and
 * throws. So no Map of the index has more keys than this.
 */
const KEYS_PER_MAP_MAX = 2 ** 22;

/** An index of native Maps. It takes keys of every type and little code. Its disadvantage: a Map that grows moves all its keys in one call. */
export class KeyMaps implements KeyIndex {
  readonly #slots: Slots;
  /** Invariant: a key is in at most one of the Maps. */
  readonly #maps: Map<unknown, number>[] = [];

  constructor(slots: Slots) {
    this.#slots = slots;
  }

  hashOf(): number {
    return 0;
  }

  find(key: unknown): number {
    for (const map of this.#maps) {
      const slot = map.get(key);
      if (slot !== undefined) return slot;
    }
    return 0;
  }

  add(slot: number): void {
    let map = this.#maps.find(({ size }) => size < KEYS_PER_MAP_MAX);
    if (map === undefined) this.#maps.push((map = new Map()));
    map.set(this.#slots.key(slot), slot);
  }

  remove(slot: number): void {
    const key = this.#slots.key(slot);
    for (const map of this.#maps) if (map.delete(key)) return;
  }
}
