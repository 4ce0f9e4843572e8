/** The pause before the second call of a probe, and the longest pause: a probe of several processes costs each of them milliseconds. */
const PAUSE_MS = 10;
const PAUSE_MS_MAX = 50;
/** The part of the time since the first call that a pause may add. */
const PAUSE_PART = 0.1;

/**
 * Calls `probe` until its result is neither `undefined` nor `false`, and resolves to that result. A probe that throws
 * is called again, too. Rejects after `deadlineMs` milliseconds with an error that contains `what`, and the last error of `probe` as its cause.
 */
export async function until<T>(
  what: string,
  probe: () => T | Promise<T>,
  deadlineMs = 20_000,
): Promise<Exclude<T, undefined | false>> {
  const beganMs = performance.now();
  const endMs = beganMs + deadlineMs;
  let cause: unknown;
  for (;;) {
    try {
      const answer = await probe();
      if (answer !== undefined && answer !== false) return answer as Exclude<T, undefined | false>;
      cause = undefined;
    } catch (failure) {
      cause = failure;
    }
    const nowMs = performance.now();
    if (nowMs >= endMs) {
      throw new Error(`Expected within ${deadlineMs} ms: ${what}`, { cause });
    }
    const pauseMs = Math.min(PAUSE_MS + PAUSE_PART * (nowMs - beganMs), PAUSE_MS_MAX);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}

/** Settles as `promise` does, or rejects after `deadlineMs` milliseconds with an error that contains `what`. */
export async function within<T>(
  what: string,
  promise: Promise<T>,
  deadlineMs = 20_000,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`Expected within ${deadlineMs} ms: ${what}`)),
      deadlineMs,
    );
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
