/**
 * Calls `onEvict`, but only when the cache is in order again.
 *
 * A call into the cache first finishes its work; what left meanwhile waits here and is told at the end of
 * that call. So a listener may call anything: what its calls remove is queued behind, never nested. A
 * listener that always causes another removal (it puts back what was evicted) would never end; after
 * `NESTED_MAX` such removals in one call the rest is left to the cache's timer.
 */
import { REASONS, type RemovalReason } from "./removal-reason.ts";

const NESTED_MAX = 1_000;

export class Departures<K, V> {
  /** Invariant: empty unless a call into the cache is under way or the timer is to go on. */
  #queue: { key: K; value: V; reason: number }[] = [];
  #telling = false;
  readonly #onEvict: (key: K, value: V, reason: RemovalReason) => void;
  readonly #onThrow: (error: unknown, key: K) => void;

  constructor(
    onEvict: (key: K, value: V, reason: RemovalReason) => void,
    onThrow: (error: unknown, key: K) => void,
  ) {
    this.#onEvict = onEvict;
    this.#onThrow = onThrow;
  }

  add(key: K, value: V, reason: number): void {
    this.#queue.push({ key, value, reason });
  }

  /** Tells what waits; true if some of it is left for later. */
  tell(): boolean {
    if (this.#telling || this.#queue.length === 0) return false;
    this.#telling = true;
    const queue = this.#queue;
    const limit = queue.length + NESTED_MAX;
    let told = 0;
    for (; told < queue.length && told < limit; told++) {
      const { key, value, reason } = queue[told] as { key: K; value: V; reason: number };
      try {
        this.#onEvict(key, value, REASONS[reason] as RemovalReason);
      } catch (error) {
        this.#onThrow(error, key);
      }
    }
    this.#queue = queue.slice(told);
    this.#telling = false;
    return this.#queue.length > 0;
  }
}
