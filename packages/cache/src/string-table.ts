/**
 * An open-addressing table from strings to slots: one 32-bit place per entry, half of them empty.
 *
 *     31       25 24           b b-1            0
 *     | home mod | more of the  | slot           |     b: as many bits as the slots need
 *     | 128      | hash         |                |     0: an empty place
 *
 * The top bits of a key's hash give its home. The key lies at its home or, if that place is taken, in the next
 * empty place. A lookup first compares the upper bits of the place, so it rarely compares a wrong key and
 * almost never reads a record. Removal closes the gap: it moves later keys back towards their homes, which
 * the places contain. No marker stays behind that would slow down later lookups.
 *
 * A table never grows: it is emptied, a few places at a time, into a larger one.
 *
 * Invariant: a key lies less than 128 places after its home, with no empty place in between.
 * Keys that were made to collide would break the invariant, so `add` refuses them. It also refuses when keys lie too
 * far from their homes on average, because then many keys have the same hash.
 */
import type { Slots } from "./slots.ts";
import type { KeyHasher } from "./string-hash.ts";

const HOME_BITS = 7;
const DISTANCE_MAX = (1 << HOME_BITS) - 1;
const HOME_SHIFT = 32 - HOME_BITS;
/** By which factor the number of slots may grow before places need more bits for a slot. */
const SLOT_RESERVE = 4;
/** The most slots of a table: more would leave too few bits for the home. */
export const TABLE_SLOTS_MAX: number = 2 ** (32 - HOME_BITS);
/** How many places from its home a new key may lie on average. With a good hash and a half-full table it is 1.5. */
const MEAN_DISTANCE_MAX = 3;
/** Over how many additions the mean is taken. */
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
  /** The next place to empty. */
  #cursor = 0;
  #additions = 0;
  #distances = 0;
  #windows = 0;

  /** Makes an empty table with room for at least `size` keys. */
  constructor(slots: Slots, hasher: KeyHasher, size: number) {
    this.#slots = slots;
    this.hasher = hasher;
    const bits = Math.max(HOME_BITS, 32 - Math.clz32(size * 2));
    const slotsMax = Math.min(slots.used * SLOT_RESERVE, slots.usedMax, TABLE_SLOTS_MAX);
    // A shift, because engines do not treat the result of a power as a small integer.
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
      // An empty place would also match a tag of zero, so this test comes first.
      if (place === 0) return 0;
      if (((place ^ tag) & ~slotMask) === 0) {
        const slot = place & slotMask;
        if (slots.key(slot) === key) return slot;
      }
    }
  }

  /** Whether the table has taken so many keys that the cost of its replacement is small for each of them. */
  get hasServed(): boolean {
    return this.#windows * WINDOW * 2 >= this.#places.length;
  }

  /** Whether half of the table stays empty if the key in `slot` is added. */
  hasRoom(slot: number): boolean {
    return this.size * 2 < this.#places.length && slot <= this.#slotMask;
  }

  /**
   * Adds a slot and writes the hash into its record. Returns false, and adds nothing, if there is no room or too many keys
   * collide.
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

  /** Removes a slot. Returns whether it was in the table. */
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

  /** Passes the slot of the next place, if there is one, to `move`, and removes it from this table if `move` returns true. */
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

  /** Returns false if keys have lain too far from their homes over the last `WINDOW` additions. */
  #isGood(): boolean {
    const good = this.#distances <= WINDOW * MEAN_DISTANCE_MAX;
    this.#additions = this.#distances = 0;
    this.#windows++;
    return good;
  }
}
