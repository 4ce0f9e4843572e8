import { followAbort } from "./follow-abort.ts";

/** A signal that follows others until it is released. */
export interface EitherSignal {
  readonly signal: AbortSignal;
  /** Removes the listeners from the followed signals. */
  readonly release: () => void;
}

/**
 * A signal that aborts when one of two does. Unlike `AbortSignal.any`, it leaves no listener on a long-lived signal
 * once it has been released.
 */
export function eitherOf(first: AbortSignal | undefined, second: AbortSignal): EitherSignal {
  if (first === undefined) return { signal: second, release: () => {} };
  const controller = new AbortController();
  const followed = [first, second].map((source) =>
    followAbort(source, () => controller.abort(source.reason)),
  );
  return {
    signal: controller.signal,
    release: () => {
      for (const unfollow of followed) unfollow();
    },
  };
}
