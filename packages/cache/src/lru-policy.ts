/**
 * Exact least recently used: one circular list through the records, anchored in slot 0.
 *
 * Invariant: `AFTER` of slot 0 is the most recently used slot and `BEFORE` of slot 0 the least.
 */
import type { EvictionPolicy } from "./eviction-policy.ts";
import { AFTER, BEFORE, WORDS, type Slots } from "./slots.ts";

export class LruPolicy implements EvictionPolicy {
  readonly #slots: Slots;

  constructor(slots: Slots) {
    this.#slots = slots;
  }

  admit(slot: number): void {
    const { words } = this.#slots;
    const first = words[AFTER] as number;
    words[slot * WORDS + BEFORE] = 0;
    words[slot * WORDS + AFTER] = first;
    words[first * WORDS + BEFORE] = slot;
    words[AFTER] = slot;
  }

  use(slot: number): void {
    const { words } = this.#slots;
    const first = words[AFTER] as number;
    if (first === slot) return;
    const at = slot * WORDS;
    const before = words[at + BEFORE] as number;
    const after = words[at + AFTER] as number;
    words[before * WORDS + AFTER] = after;
    words[after * WORDS + BEFORE] = before;
    words[at + BEFORE] = 0;
    words[at + AFTER] = first;
    words[first * WORDS + BEFORE] = slot;
    words[AFTER] = slot;
  }

  victim(): number {
    return this.#slots.words[BEFORE] as number;
  }

  remove(slot: number): void {
    const { words } = this.#slots;
    const before = words[slot * WORDS + BEFORE] as number;
    const after = words[slot * WORDS + AFTER] as number;
    words[before * WORDS + AFTER] = after;
    words[after * WORDS + BEFORE] = before;
  }

  following(slot: number): number {
    return this.#slots.words[slot * WORDS + BEFORE] as number;
  }
}
