/**
 * Earliest due date first, and of entries that are due at the same time, or never, the oldest state first.
 *
 * A binary heap of slots, ordered by due date and then by state. The record of each slot has its place in the heap, so that an entry which
 * gets another due date, or leaves, is found at once. What it costs is the way up or down, as long as the logarithm of the number of entries.
 *
 * Invariants: nothing comes before its parent, which is at (place - 1) >> 1; the slot at a place has that place in its record.
 */
import type { EvictionPolicy } from "./eviction-policy.ts";
import type { Slots } from "./slots.ts";

/** What decides when an entry leaves. */
export interface DueRank {
  /** When the value is due, in any unit that grows with time; Infinity for never. */
  readonly due: number;
  /** Of two values that are due at the same time, the one with the smaller state leaves first. */
  readonly state: number;
}

const FIRST_CAPACITY = 64;

export class DuePolicy implements EvictionPolicy {
  readonly #slots: Slots;
  /** The rank of the next entry that is admitted or renewed. */
  #next: DueRank | undefined;
  /** Whether ranks are given, and not made of expiry and turn. */
  #ranked = false;
  #heap = new Int32Array(FIRST_CAPACITY);
  #size = 0;
  /** By slot. */
  #dues = new Float64Array(FIRST_CAPACITY);
  #states = new Float64Array(FIRST_CAPACITY);
  /** How many entries have been admitted or renewed. */
  #turns = 0;
  /** All slots in order, for whoever goes through them; undefined after a change. */
  #sorted: Int32Array | undefined;
  /** Where `following` is in `#sorted`. */
  #at = 0;

  constructor(slots: Slots) {
    this.#slots = slots;
  }

  /** Gives the rank of the next entry that is admitted or renewed. */
  rankNext(rank: DueRank): void {
    this.#next = rank;
    this.#ranked = true;
  }

  admit(slot: number): void {
    if (slot >= this.#dues.length) this.#grow(slot);
    this.#rank(slot);
    this.#rise(slot, this.#size);
    this.#size++;
  }

  /** Only what renews an entry makes a difference. */
  use(slot: number, renewed: boolean): void {
    if (!renewed) return;
    this.#rank(slot);
    this.#settle(slot, this.#slots.before(slot));
  }

  victim(): number {
    return this.#size === 0 ? 0 : (this.#heap[0] as number);
  }

  remove(slot: number): void {
    this.#sorted = undefined;
    const place = this.#slots.before(slot);
    const last = this.#heap[--this.#size] as number;
    if (last !== slot) this.#settle(last, place);
  }

  following(slot: number): number {
    if (slot === 0) return this.victim();
    if (this.#sorted === undefined) {
      this.#sorted = this.#heap
        .slice(0, this.#size)
        .toSorted((a, b) => (this.#isBefore(a, b) ? -1 : 1));
      this.#at = 0;
    }
    if (this.#sorted[this.#at] !== slot) this.#at = this.#sorted.indexOf(slot);
    return this.#sorted[++this.#at] ?? 0;
  }

  #rank(slot: number): void {
    this.#sorted = undefined;
    this.#turns++;
    const next = this.#next;
    this.#next = undefined;
    // The rank of a value stays, whatever becomes of its time.
    if (next === undefined && this.#ranked) return;
    this.#dues[slot] = next === undefined ? this.#slots.expiresAt(slot) : next.due;
    this.#states[slot] = next === undefined ? this.#turns : next.state;
  }

  #isBefore(a: number, b: number): boolean {
    const [dueA, dueB] = [this.#dues[a] as number, this.#dues[b] as number];
    if (dueA !== dueB) return dueA < dueB;
    const [stateA, stateB] = [this.#states[a] as number, this.#states[b] as number];
    return stateA === stateB ? a < b : stateA < stateB;
  }

  /** Puts a slot where it belongs, from a place that is free for it. */
  #settle(slot: number, place: number): void {
    const parent = (place - 1) >> 1;
    if (place > 0 && this.#isBefore(slot, this.#heap[parent] as number)) this.#rise(slot, place);
    else this.#sink(slot, place);
  }

  #rise(slot: number, from: number): void {
    let place = from;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      const above = this.#heap[parent] as number;
      if (!this.#isBefore(slot, above)) break;
      this.#put(above, place);
      place = parent;
    }
    this.#put(slot, place);
  }

  #sink(slot: number, from: number): void {
    let place = from;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= this.#size) break;
      const [left, right] = [this.#heap[child] as number, this.#heap[child + 1] as number];
      if (child + 1 < this.#size && this.#isBefore(right, left)) child++;
      const below = this.#heap[child] as number;
      if (!this.#isBefore(below, slot)) break;
      this.#put(below, place);
      place = child;
    }
    this.#put(slot, place);
  }

  #put(slot: number, place: number): void {
    this.#heap[place] = slot;
    this.#slots.setBefore(slot, place);
  }

  #grow(slot: number): void {
    const capacity = Math.min(2 * (slot + 1), this.#slots.usedMax + 1);
    const copy = <A extends Float64Array | Int32Array>(into: A, from: A): A => {
      into.set(from);
      return into;
    };
    this.#heap = copy(new Int32Array(capacity), this.#heap);
    this.#dues = copy(new Float64Array(capacity), this.#dues);
    this.#states = copy(new Float64Array(capacity), this.#states);
  }
}
