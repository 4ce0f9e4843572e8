import type { Clock } from "./clock.ts";

/** The longest delay a platform timer takes; beyond it, it would fire at once. */
const TIMER_DELAY_MAX_MS = 2 ** 31 - 1;

/** The clock of this machine. Delays above 24.8 days are cut to that. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  elapsedMs: () => performance.now(),
  after(delayMs, callback) {
    const timer: unknown = setTimeout(callback, Math.min(delayMs, TIMER_DELAY_MAX_MS));
    // Browsers return a number, Node.js an object that would keep the process alive.
    (timer as { unref?: () => void }).unref?.();
    return () => clearTimeout(timer as ReturnType<typeof setTimeout>);
  },
};
