/* oxlint-disable no-restricted-globals, no-restricted-properties -- the one file that turns the platform's time into a CacheClock */
import type { CacheClock } from "./cache-clock.ts";

/** The platform's monotonic clock; its timers never keep a process alive. */
export const systemClock: CacheClock = {
  nowMs: () => performance.now(),
  after: (delayMs, callback) => {
    const timer: unknown = setTimeout(callback, delayMs);
    // The timers of Node.js can be unreferenced. In browsers they keep nothing alive.
    (timer as { unref?: () => void }).unref?.();
    return () => clearTimeout(timer as number);
  },
};

/** A random number that nobody outside of the process can know. */
export function randomSeed(): number {
  return crypto.getRandomValues(new Int32Array(1))[0] as number;
}
