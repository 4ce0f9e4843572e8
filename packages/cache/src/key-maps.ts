import type { KeyIndex } from "./key-index.ts";
import type { Slots } from "./slots.ts";

/**
 * Above about 2^23 live keys a Map under constant replacement wants to grow past 2^24 places and throws
 * instead, so no single one gets near that.
 */
const KEYS_PER_MAP_MAX = 2 ** 22;

/** Native Maps: right for keys of every type, and small. A Map that grows moves all its keys in one call. */
export class KeyMaps implements KeyIndex {
  readonly #slots: Slots;
  /** Invariant: a key is in at most one. */
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
