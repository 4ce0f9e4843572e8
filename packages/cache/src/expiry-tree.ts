/**
 * Finds an entry whose time is over, without a link or a timer per entry.
 *
 * The expiry times lie in the slots' records. Over them stands a tree of minima, 64 ways wide: the first
 * level holds one number for 64 slots, the next one for 64 of those, up to a single root.
 *
 * Invariant: a node is ≤ every expiry below it. It may be lower: when an entry leaves or lives longer the
 * tree is not told. Such a node is put right when its time comes and nothing is found there, so every
 * write of an expiry pays for at most one such search, of one page of 64.
 */
import { FLOATS, PAGE, type Slots } from "./slots.ts";

const WAYS_LOG2 = 6;
const WAYS = 64;

export class ExpiryTree {
  readonly #slots: Slots;
  /** From the pages' minima to the root, which is alone on its level. */
  readonly #levels: Float64Array[] = [];
  #pages: Float64Array = new Float64Array(0);
  #root: Float64Array = this.#pages;
  /** Pages that were searched in vain; a bounded sweep counts them. */
  repairs = 0;

  constructor(slots: Slots) {
    this.#slots = slots;
    this.#grow();
  }

  /** No entry expires earlier. Infinity: none expires at all. */
  get earliest(): number {
    return this.#root[0] as number;
  }

  /** Tells the tree of a new expiry time of a slot. */
  lower(slot: number, expiresAt: number): void {
    const page = slot >>> WAYS_LOG2;
    if (page >= this.#pages.length) this.#grow();
    // Most entries live longer than one of their page; this test is all that costs them.
    if (expiresAt < (this.#pages[page] as number)) this.#lowerFrom(page, expiresAt);
  }

  /** Makes every level twice as long; a number for 64 entries is little to copy. */
  #grow(): void {
    let nodes = Math.max(PAGE / WAYS, this.#pages.length * 2);
    for (let depth = 0; ; depth++, nodes = Math.ceil(nodes / WAYS)) {
      const level = new Float64Array(nodes).fill(Infinity);
      const old = this.#levels[depth];
      if (old !== undefined) level.set(old);
      // A level that did not exist before starts from what used to be the root.
      else if (depth > 0) level[0] = (this.#levels[depth - 1] as Float64Array)[0] as number;
      this.#levels[depth] = level;
      this.#root = level;
      if (nodes === 1) break;
    }
    this.#pages = this.#levels[0] as Float64Array;
  }

  #lowerFrom(page: number, expiresAt: number): void {
    let node = page;
    for (const level of this.#levels) {
      if ((level[node] as number) <= expiresAt) return;
      level[node] = expiresAt;
      node >>>= WAYS_LOG2;
    }
  }

  /** A slot that expires at `now` or before, or 0. Gives up after `repairsMax` vain searches. */
  find(now: number, repairsMax: number): number {
    this.repairs = 0;
    while (this.earliest <= now && this.repairs < repairsMax) {
      let node = 0;
      let depth = this.#levels.length - 1;
      while (depth > 0) {
        const child = this.#childDue(depth, node, now);
        if (child < 0) break;
        node = child;
        depth--;
      }
      if (depth === 0) {
        const slot = this.#slotDue(node, now);
        if (slot !== 0) return slot;
      }
      this.#repair(depth, node);
    }
    return 0;
  }

  #childDue(depth: number, node: number, now: number): number {
    const level = this.#levels[depth - 1] as Float64Array;
    const end = Math.min((node + 1) * WAYS, level.length);
    for (let child = node * WAYS; child < end; child++) {
      if ((level[child] as number) <= now) return child;
    }
    return -1;
  }

  #slotDue(page: number, now: number): number {
    const { times, used } = this.#slots;
    const end = Math.min((page + 1) * WAYS, used) * FLOATS;
    for (let at = page * WAYS * FLOATS; at < end; at += FLOATS) {
      if ((times[at] as number) <= now) return at / FLOATS;
    }
    return 0;
  }

  /** Puts a node right from what is below it, and those above it as far as that changes them. */
  #repair(depth: number, node: number): void {
    this.repairs++;
    for (let d = depth, at = node; d < this.#levels.length; d++, at >>>= WAYS_LOG2) {
      const level = this.#levels[d] as Float64Array;
      const least = d === 0 ? this.#leastOf(at) : this.#leastBelow(d, at);
      if (level[at] === least) return;
      level[at] = least;
    }
  }

  /** The earliest expiry of a page. */
  #leastOf(page: number): number {
    const { times, used } = this.#slots;
    return minimum(times, page * WAYS, used, FLOATS);
  }

  /** The least of a node's children. */
  #leastBelow(depth: number, node: number): number {
    return minimum(this.#levels[depth - 1] as Float64Array, node * WAYS, Infinity, 1);
  }
}

function minimum(from: Float64Array, first: number, limit: number, step: number): number {
  const end = Math.min((first + WAYS) * step, limit * step, from.length);
  let least = Infinity;
  for (let at = first * step; at < end; at += step) {
    const one = from[at] as number;
    if (one < least) least = one;
  }
  return least;
}
