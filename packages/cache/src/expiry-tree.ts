/**
 * Finds expired entries, without a link or a timer per entry.
 *
 * The expiry times lie in the slots' records. Over them stands a tree of minima, 64 ways wide: the first
 * level holds one number for 64 slots, the next one for 64 of those, up to a single root.
 *
 * Invariant: a node is ≤ every expiry below it. It may be lower: the tree is not updated when an entry leaves or gets a
 * later expiry. Such a node is corrected when it is due and no expired entry is found below it. So every
 * write of an expiry causes at most one such search, of one page of 64.
 *
 * For example, a page's entries expire at 10, 20 and 30, and its node is 10. The entry of 10 leaves; the node stays 10. At 10 the page is
 * searched in vain and the node becomes 20.
 *
 * All pages may be searched in vain in one call. To bound this call, a tree of more than
 * 16,384 pages (a million entries) also notes when the earliest entry of a page leaves or lives longer, and corrects one page
 * for each page beyond that number that may be too low.
 */
import { FLOATS, type Slots } from "./slots.ts";
import type { Timekeeper } from "./timekeeper.ts";

const WAYS_LOG2 = 6;
const WAYS = 64;
/** How many known pages may have too low a minimum; and up to how many pages a tree does not note such pages at all. */
const STALE_MAX = 2 ** 14;

export class ExpiryTree {
  readonly #slots: Slots;
  readonly #time: Timekeeper;
  /** From the pages' minima to the root, which is alone on its level. */
  #levels: Float64Array[] = [];
  #pages: Float64Array = new Float64Array(0);
  #root: Float64Array = this.#pages;
  readonly #staleMax: number;
  /** By page: 1 if its minimum may be too low. Kept only if there are more than `staleMax` pages. */
  #stale = new Uint8Array(0);
  #stalePages = 0;
  /** The last page whose minimum was corrected because there were too many such pages. */
  #hand = 0;
  /** How many nodes the last `find` has searched in vain. A bounded sweep counts them. */
  repairs = 0;

  constructor(slots: Slots, time: Timekeeper, staleMax: number = STALE_MAX) {
    this.#slots = slots;
    this.#staleMax = staleMax;
    this.#time = time;
    this.#grow();
  }

  /** An instant before which no entry expires; Infinity if no entry expires at all. */
  get earliest(): number {
    return this.#root[0] as number;
  }

  /** Must be called after a slot has got a new expiry. Lowers the minima above it if needed. */
  lower(slot: number): void {
    const expiresAt = this.#slots.expiresAt(slot);
    let node = slot >>> WAYS_LOG2;
    if (node >= this.#pages.length) this.#grow();
    for (const level of this.#levels) {
      // Mostly another entry of the page expires earlier, and this comparison is all that is done.
      if ((level[node] as number) <= expiresAt) return;
      level[node] = expiresAt;
      node >>>= WAYS_LOG2;
    }
  }

  /** Must be called before an entry gets a later expiry or leaves. */
  raise(slot: number): void {
    const page = slot >>> WAYS_LOG2;
    if (this.#stale.length > 0 && this.#slots.expiresAt(slot) === this.#pages[page]) {
      this.#distrust(page);
    }
  }

  #distrust(page: number): void {
    const stale = this.#stale;
    if (this.#pages[page] === Infinity || stale[page] === 1) return;
    stale[page] = 1;
    if (++this.#stalePages <= this.#staleMax) return;
    const next = stale.indexOf(1, this.#hand + 1);
    this.#hand = next < 0 ? stale.indexOf(1) : next;
    this.#due(0, this.#hand, -Infinity);
  }

  /** Returns a slot that expired at least `agoMs` ago, or 0 if there is none. Gives up, with 0, after `repairsMax` vain searches. */
  find(agoMs: number, repairsMax: number): number {
    const now = this.#time.nowMs - agoMs;
    this.repairs = 0;
    while (this.earliest <= now && this.repairs < repairsMax) {
      let found = 0;
      let depth = this.#levels.length;
      while (depth > 0 && found >= 0) found = this.#due(--depth, found, now);
      if (found >= 0) return found;
    }
    return 0;
  }

  /** Returns the first due page or slot below a node. If there is none, corrects the node and returns -1. */
  #due(depth: number, node: number, now: number): number {
    const slots = this.#slots;
    const step = depth === 0 ? FLOATS : 1;
    const below = depth === 0 ? slots.times : (this.#levels[depth - 1] as Float64Array);
    const limit = depth === 0 ? slots.used * FLOATS : below.length;
    const end = Math.min((node + 1) * WAYS * step, limit);
    let least = Infinity;
    for (let at = node * WAYS * step; at < end; at += step) {
      const time = below[at] as number;
      if (time <= now) return at / step;
      if (time < least) least = time;
    }
    (this.#levels[depth] as Float64Array)[node] = least;
    if (depth === 0 && this.#stale[node] === 1) {
      this.#stale[node] = 0;
      this.#stalePages--;
    }
    this.repairs++;
    return -1;
  }

  /** Doubles every level. There is one number for 64 entries, so little is copied. */
  #grow(): void {
    const old = this.#levels;
    const { earliest } = this;
    this.#levels = [];
    for (let nodes = this.#pages.length * 2 || WAYS; ; nodes = Math.ceil(nodes / WAYS)) {
      const level = new Float64Array(nodes).fill(Infinity);
      // A level that did not exist before starts from what used to be the root.
      level.set(old[this.#levels.length] ?? [earliest ?? Infinity]);
      this.#levels.push(level);
      this.#root = level;
      if (nodes === 1) break;
    }
    this.#pages = this.#levels[0] as Float64Array;
    if (this.#pages.length <= this.#staleMax) return;
    const stale = new Uint8Array(this.#pages.length);
    stale.set(this.#stale);
    this.#stale = stale;
  }
}
