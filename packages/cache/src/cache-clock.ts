/**
 * Where a cache gets its time and its one timer from. Any object of this shape will do, so tests can
 * drive a cache by hand.
 */
export interface CacheClock {
  /**
   * Milliseconds since some fixed instant. It may be a wall clock: a step back counts as no time
   * passing, a step forward ages every entry by it.
   */
  nowMs(): number;
  /**
   * Runs `callback` once, about `delayMs` from now, and returns the cancellation. Should not keep the
   * process alive.
   */
  after(delayMs: number, callback: () => void): () => void;
}
