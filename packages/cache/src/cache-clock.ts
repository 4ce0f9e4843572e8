/**
 * The clock and the one timer of a cache. Tests can pass an object of their own and
 * advance its time.
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
