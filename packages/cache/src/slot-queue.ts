import type { Slots } from "./slots.ts";

/** A queue of slots, linked through their records. A slot is in one queue at most. */
export class SlotQueue {
  readonly #slots: Slots;
  /** The newest slot; 0 if there is none. */
  #newest = 0;
  /** The oldest slot; 0 if there is none. */
  oldest = 0;
  size = 0;

  constructor(slots: Slots) {
    this.#slots = slots;
  }

  add(slot: number): void {
    const slots = this.#slots;
    slots.setBefore(slot, 0);
    slots.setAfter(slot, this.#newest);
    if (this.#newest === 0) this.oldest = slot;
    else slots.setBefore(this.#newest, slot);
    this.#newest = slot;
    this.size++;
  }

  remove(slot: number): void {
    const slots = this.#slots;
    const newer = slots.before(slot);
    const older = slots.after(slot);
    if (newer === 0) this.#newest = older;
    else slots.setAfter(newer, older);
    if (older === 0) this.oldest = newer;
    else slots.setBefore(older, newer);
    this.size--;
  }

  /** The slot that was added after `slot`; 0 after the newest. */
  newer(slot: number): number {
    return this.#slots.before(slot);
  }
}
