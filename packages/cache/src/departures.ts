/**
 * Calls `onEvict` at the end of a call into the cache, when all changes of the call are done.
 *
 * Values that leave during a call are queued here. So a listener may call the cache: the values that its calls remove are
 * appended to the queue, and `onEvict` is never nested. A
 * listener that always causes another removal (it puts back the evicted entry) would never end; after
 * `NESTED_MAX` such removals in one call the cache's timer continues with the rest.
 */
import { REASONS, type RemovalReason } from "./removal-reason.ts";

const NESTED_MAX = 1_000;

export class Departures<K, V> {
  /** The values that have left and of which `onEvict` has not been told. Invariant: empty unless a call into the cache runs or the timer has to continue. */
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

  /** Calls `onEvict` for the queued values. Returns true if some are left for the timer. */
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
