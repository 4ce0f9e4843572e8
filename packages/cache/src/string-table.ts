/**
 * An open-addressing table from strings to slots: one 32-bit place per entry, half of them empty.
 *
 *     31       25 24           b b-1            0
 *     | home mod | more of the  | slot           |     b: as many bits as the slots need
 *     | 128      | hash         |                |     0: an empty place
 *
 * A key's home is given by the top bits of its hash; it lies there or, if that is taken, in the next
 * empty place. A lookup compares the upper part of the place first, so it rarely looks at a wrong key and
 * almost never at a record. Removal closes the gap by moving later keys back towards their homes, which
 * the places themselves tell; nothing is left behind that would slow down later lookups.
 *
 * A table never grows: it is emptied, a few places at a time, into a larger one.
 *
 * Invariant: a key lies less than 128 places behind its home, with no empty place between.
 * Keys that were made to collide would break this; `add` then refuses, and so it does when keys lie too
 * far from home on average, as they do when many have the same hash.
 */
import type { Slots } from "./slots.ts";
import type { KeyHasher } from "./string-hash.ts";

const HOME_BITS = 7;
const DISTANCE_MAX = (1 << HOME_BITS) - 1;
const HOME_SHIFT = 32 - HOME_BITS;
/** Slots may grow so much before the places need more bits for them. */
const SLOT_RESERVE = 4;
/** More slots would leave too few bits for the home. */
export const TABLE_SLOTS_MAX: number = 2 ** (32 - HOME_BITS);
/** Half full, a good hash puts new keys 1.5 places from home on average. */
const MEAN_DISTANCE_MAX = 3;
/** Additions over which the mean is taken. */
const WINDOW = 1_024;

export class StringTable {
  readonly hasher: KeyHasher;
  size = 0;
  readonly #slots: Slots;
  readonly #places: Int32Array;
  /** Right shift from hash to home. */
  readonly #homeShift: number;
  /** Left shift that brings the home's low bits to the top. */
  readonly #tagShift: number;
  readonly #slotMask: number;
  /** Where emptying the table has come to. */
  #cursor = 0;
  #additions = 0;
  #distances = 0;
  #windows = 0;

  /** An empty table with room for `size` keys at least. */
  constructor(slots: Slots, hasher: KeyHasher, size: number) {
    this.#slots = slots;
    this.hasher = hasher;
    const bits = Math.max(HOME_BITS, 32 - Math.clz32(size * 2));
    const slotsMax = Math.min(slots.used * SLOT_RESERVE, slots.usedMax, TABLE_SLOTS_MAX);
    // A shift, because a power is no small integer to engines, even if it is one.
    this.#slotMask = (1 << (32 - Math.clz32(slotsMax - 1))) - 1;
    this.#places = new Int32Array(2 ** bits);
    this.#homeShift = 32 - bits;
    this.#tagShift = bits - HOME_BITS;
  }

  find(key: string, hash: number): number {
    const slots = this.#slots;
    const places = this.#places;
    const wrap = places.length - 1;
    const slotMask = this.#slotMask;
    const tag = hash << this.#tagShift;
    for (let at = hash >>> this.#homeShift; ; at++) {
      const place = places[at & wrap] as number;
      // Zero would also be a fit for a tag of zero, hence the order of the tests.
      if (place === 0) return 0;
      if (((place ^ tag) & ~slotMask) === 0) {
        const slot = place & slotMask;
        if (slots.key(slot) === key) return slot;
      }
    }
  }

  /** Whether it did well for so many additions that putting another in its place costs little for each of them. */
  get hasServed(): boolean {
    return this.#windows * WINDOW * 2 >= this.#places.length;
  }

  /** Whether one more key, in this slot, leaves half of the table empty. */
  hasRoom(slot: number): boolean {
    return this.size * 2 < this.#places.length && slot <= this.#slotMask;
  }

  /**
   * Adds a slot and notes the hash in its record. False: it did not, for want of room or because it is of no
   * more use to such keys.
   */
  add(slot: number, hash: number): boolean {
    if (!this.hasRoom(slot)) return false;
    const places = this.#places;
    const wrap = places.length - 1;
    const home = hash >>> this.#homeShift;
    let at = home;
    while (places[at & wrap] !== 0) at++;
    this.#distances += at - home;
    if (at - home > DISTANCE_MAX || (++this.#additions === WINDOW && !this.#isGood())) return false;
    places[at & wrap] = ((hash << this.#tagShift) & ~this.#slotMask) | slot;
    this.#slots.setHash(slot, hash);
    this.size++;
    return true;
  }

  /** Removes a slot; whether it was here. */
  remove(slot: number, hash: number): boolean {
    const places = this.#places;
    const wrap = places.length - 1;
    const slotMask = this.#slotMask;
    for (let at = (hash >>> this.#homeShift) & wrap; ; at = (at + 1) & wrap) {
      const place = places[at] as number;
      if (place === 0) return false;
      if ((place & slotMask) === slot) {
        this.#empty(at);
        return true;
      }
    }
  }

  /** Looks at one place in turn; what it finds goes to `move` and, if that tells so, leaves this table. */
  moveNext(move: (slot: number) => boolean): void {
    const place = this.#places[this.#cursor] as number;
    if (place === 0) this.#cursor = (this.#cursor + 1) & (this.#places.length - 1);
    else if (move(place & this.#slotMask)) this.#empty(this.#cursor);
  }

  #empty(place: number): void {
    const places = this.#places;
    const wrap = places.length - 1;
    let gap = place;
    for (let at = (gap + 1) & wrap; ; at = (at + 1) & wrap) {
      const next = places[at] as number;
      if (next === 0) break;
      const distance = (at - (next >>> HOME_SHIFT)) & DISTANCE_MAX;
      if (((at - gap) & wrap) <= distance) {
        places[gap] = next;
        gap = at;
      }
    }
    places[gap] = 0;
    this.size--;
  }

  /** Judges the hashes, once in a while. */
  #isGood(): boolean {
    const good = this.#distances <= WINDOW * MEAN_DISTANCE_MAX;
    this.#additions = this.#distances = 0;
    this.#windows++;
    return good;
  }
}
