/** Where time comes from. Injected everywhere, so that tests and simulations own it. */
export interface Clock {
  /** Milliseconds since the Unix epoch. May jump; compare it only with other wall times. */
  nowMs(): number;
  /** Milliseconds since an arbitrary moment, fractions included. Never goes back; use it for durations. */
  elapsedMs(): number;
  /** Runs `callback` once, `delayMs` from now, and returns the cancellation. Never keeps the process alive. */
  after(delayMs: number, callback: () => void): () => void;
}
