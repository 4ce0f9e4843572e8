import { followAbort } from "./follow-abort.ts";

/** Settles as `work` does, or rejects with the signal's reason when that aborts first. */
export async function orAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  let unfollow = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    unfollow = followAbort(signal, () => reject(signal.reason as Error));
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    unfollow();
    // Where the signal has won, nobody else hears of a failure.
    work.catch(() => {});
  }
}
