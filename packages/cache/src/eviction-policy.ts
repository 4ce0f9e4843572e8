import type { Slots } from "./slots.ts";

/**
 * An eviction policy: it learns which slots are taken, used and released, and names the slot to evict next.
 *
 * It never sees keys, values or time. Expired entries leave before the policy is asked.
 */
export interface EvictionPolicy {
  /** A new entry took `slot`. */
  admit(slot: number): void;
  /** The entry in `slot` was used; `renewed`: it was given another value or another time. */
  use(slot: number, renewed: boolean): void;
  /** The slot that should go next, 0 if there is none; it may put its queues in order for that. */
  victim(): number;
  /** The entry in `slot` leaves; `evicted` tells whether it is the victim that was just named. */
  remove(slot: number, evicted: boolean): void;
  /** The slot after `slot` in the order of leaving as of now; after 0 comes the first to go, after the last comes 0. */
  following(slot: number): number;
}

/** Makes the policy of a cache whose entries are in these slots. */
export type PolicyClass = new (slots: Slots) => EvictionPolicy;
