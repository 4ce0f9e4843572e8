import { setTimeout } from "node:timers/promises";

/** Resolves after `ms` milliseconds; rejects at once where nobody waits for that any more, with why. */
export async function pause(ms: number, stopped?: AbortSignal): Promise<void> {
  stopped?.throwIfAborted();
  try {
    await setTimeout(ms, undefined, stopped === undefined ? {} : { signal: stopped });
  } catch (cause) {
    throw stopped?.reason ?? cause;
  }
}
