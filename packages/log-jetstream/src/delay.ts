import type { Clock } from "@meridian/runtime";

/** Resolves after a while. */
export function delay(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => void clock.after(ms, resolve));
}
