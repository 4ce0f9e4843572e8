/**
 * S3-FIFO (Yang et al., SOSP 2023) with one use bit and a small queue that finds its own size.
 *
 * New entries wait in a small queue. Those used there move on to the main queue, the others are evicted
 * soon, so that a scan passes through without harm. The main queue is a second-chance FIFO. Using an entry
 * sets a bit and moves nothing.
 *
 * Keys evicted from either queue are remembered for a while. If one comes back, its queue was too small:
 * it goes to the main queue, and the share of the small queue moves by one entry, or by more if the other
 * queue's evictions are remembered in greater number (the rule of ARC; Megiddo & Modha, FAST 2003). This is
 * what keeps the policy close to LRU where recency is all there is; with a fixed small queue, or with the
 * paper's two use bits, it loses several points on such traces.
 */
import type { EvictionPolicy } from "./eviction-policy.ts";
import { Ghosts } from "./ghosts.ts";
import { SlotQueue } from "./slot-queue.ts";
import type { Slots } from "./slots.ts";
import { StringHasher } from "./string-hash.ts";

const USED = 1;
const IN_MAIN = 2;
const FIRST_SHARE = 0.1;
const SHARE_MIN = 0.01;
const SHARE_MAX = 0.9;
/** Entries given a second chance in one eviction at most, so that none takes long. */
const CHANCES_MAX = 128;

export class AdaptivePolicy implements EvictionPolicy {
  readonly #slots: Slots;
  readonly #small: SlotQueue;
  readonly #main: SlotQueue;
  readonly #ghosts = new Ghosts();
  readonly #hasher = new StringHasher(0);
  /** `USED` and `IN_MAIN` of each slot. */
  #states = new Uint8Array(0);
  /** The part of all entries that the small queue should hold. */
  #share = FIRST_SHARE;

  constructor(slots: Slots) {
    this.#slots = slots;
    this.#small = new SlotQueue(slots);
    this.#main = new SlotQueue(slots);
  }

  admit(slot: number): void {
    if (slot >= this.#states.length) this.#grow();
    const entries = this.#entries + 1;
    const evictedFrom = this.#ghosts.take(this.#hashOf(slot), entries);
    if (evictedFrom >= 0) this.#adapt(evictedFrom as 0 | 1, entries);
    const queue = evictedFrom >= 0 ? this.#main : this.#small;
    this.#states[slot] = evictedFrom >= 0 ? IN_MAIN : 0;
    queue.add(slot);
  }

  use(slot: number): void {
    this.#states[slot] = (this.#states[slot] as number) | USED;
  }

  victim(): number {
    const small = this.#small;
    const main = this.#main;
    for (let chances = 0; ; chances++) {
      const fromSmall = main.size === 0 || small.size > this.#entries * this.#share;
      const slot = fromSmall && small.size > 0 ? small.oldest : main.oldest;
      const state = this.#states[slot] as number;
      if ((state & USED) === 0 || chances >= CHANCES_MAX) return slot;
      (state & IN_MAIN ? main : small).remove(slot);
      main.add(slot);
      this.#states[slot] = IN_MAIN;
    }
  }

  remove(slot: number, evicted: boolean): void {
    const inMain = ((this.#states[slot] as number) & IN_MAIN) !== 0;
    if (evicted) this.#ghosts.add(this.#hashOf(slot), inMain ? 1 : 0, this.#entries);
    (inMain ? this.#main : this.#small).remove(slot);
  }

  following(slot: number): number {
    if (slot === 0) return this.#small.oldest || this.#main.oldest;
    // Both queues link their slots in the same way.
    const next = this.#main.newer(slot);
    const inSmall = ((this.#states[slot] as number) & IN_MAIN) === 0;
    return next === 0 && inSmall ? this.#main.oldest : next;
  }

  get #entries(): number {
    return this.#small.size + this.#main.size;
  }

  #adapt(evictedFrom: 0 | 1, entries: number): void {
    const [small, main] = this.#ghosts.counts;
    const step =
      evictedFrom === 0 ? Math.max(1, main / (small + 1)) : -Math.max(1, small / (main + 1));
    this.#share = Math.min(SHARE_MAX, Math.max(SHARE_MIN, this.#share + step / entries));
  }

  /** A hash of the key, whatever the index: 0, which is nobody, for keys that have none. */
  #hashOf(slot: number): number {
    const hash = this.#slots.hash(slot);
    if (hash !== 0) return hash;
    const key = this.#slots.key(slot);
    if (typeof key === "string") return this.#hasher.hash(key);
    return typeof key === "number" ? (Math.imul(key, 0x85ebca6b) ^ (key / 7)) | 1 : 0;
  }

  #grow(): void {
    const states = new Uint8Array(this.#slots.used * 2);
    states.set(this.#states);
    this.#states = states;
  }
}
