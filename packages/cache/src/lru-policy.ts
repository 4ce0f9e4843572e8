/**
 * Exact least recently used: one circular list through the records, anchored in slot 0.
 *
 * Invariant: after slot 0 comes the most recently used slot, and before it the least.
 */
import type { EvictionPolicy } from "./eviction-policy.ts";
import type { Slots } from "./slots.ts";

export class LruPolicy implements EvictionPolicy {
  readonly #slots: Slots;

  constructor(slots: Slots) {
    this.#slots = slots;
  }

  admit(slot: number): void {
    const slots = this.#slots;
    const first = slots.after(0);
    slots.setBefore(slot, 0);
    slots.setAfter(slot, first);
    slots.setBefore(first, slot);
    slots.setAfter(0, slot);
  }

  /** `remove` and `admit` in one, for this is what every hit costs. */
  use(slot: number): void {
    const slots = this.#slots;
    const first = slots.after(0);
    if (first === slot) return;
    const before = slots.before(slot);
    const after = slots.after(slot);
    slots.setAfter(before, after);
    slots.setBefore(after, before);
    slots.setBefore(slot, 0);
    slots.setAfter(slot, first);
    slots.setBefore(first, slot);
    slots.setAfter(0, slot);
  }

  victim(): number {
    return this.#slots.before(0);
  }

  remove(slot: number): void {
    const slots = this.#slots;
    const before = slots.before(slot);
    const after = slots.after(slot);
    slots.setAfter(before, after);
    slots.setBefore(after, before);
  }

  following(slot: number): number {
    return this.#slots.before(slot);
  }
}
