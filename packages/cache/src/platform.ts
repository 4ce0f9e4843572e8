/* oxlint-disable no-restricted-globals -- the one file that turns the platform's timer into a CacheClock */
import type { CacheClock } from "./cache-clock.ts";

/** The platform's monotonic clock; its timers never keep a process alive. */
export const systemClock: CacheClock = {
  nowMs: () => performance.now(),
  after: (delayMs, callback) => {
    const timer: unknown = setTimeout(callback, delayMs);
    // Node.js and Deno hand out objects or ids that can be unreferenced; browsers need nothing.
    (timer as { unref?: () => void }).unref?.();
    return () => clearTimeout(timer as number);
  },
};

/** A number nobody outside can know. */
export function randomSeed(): number {
  return crypto.getRandomValues(new Int32Array(1))[0] as number;
}
