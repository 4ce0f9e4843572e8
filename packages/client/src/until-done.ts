import { Backoff, Deadlines, systemClock, systemRandom } from "@meridian/runtime";

import { isMeridianError } from "./is-meridian-error.ts";
import { pause } from "./pause.ts";

/**
 * Does `work`, such as reading anew after a watch has told to `reload`, until it succeeds: after an error that may pass, such as
 * `NO_READY_NODE`, again, after a pause that grows from 0.1 to 5 seconds. Throws errors that would stay, and the signal's reason.
 */
export async function untilDone<Result>(
  work: () => Promise<Result>,
  signal?: AbortSignal,
): Promise<Result> {
  const pauses = new Backoff({ random: systemRandom, firstMs: 100, maxMs: 5_000 });
  const deadlines = new Deadlines(systemClock);
  for (;;) {
    signal?.throwIfAborted();
    try {
      return await work();
    } catch (error) {
      signal?.throwIfAborted();
      if (!isMeridianError(error) || !error.retryable) throw error;
    }
    await pause({ deadlines }, pauses.nextMs(), signal);
  }
}
