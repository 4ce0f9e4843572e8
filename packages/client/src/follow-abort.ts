/**
 * Shares one real listener for each abort signal: a thousand calls may use one signal, and platforms warn of a
 * leak from the eleventh listener on.
 */
const followers = new WeakMap<AbortSignal, Set<() => void>>();

/** Runs `callback` once when `signal` aborts, at once if it has. Returns the cancellation. */
export function followAbort(signal: AbortSignal | undefined, callback: () => void): () => void {
  if (signal === undefined) return () => {};
  if (signal.aborted) {
    callback();
    return () => {};
  }
  const set = followers.get(signal) ?? listenTo(signal);
  // A function of its own, as the same callback may follow twice.
  const follower = (): void => callback();
  set.add(follower);
  return () => {
    set.delete(follower);
  };
}

function listenTo(signal: AbortSignal): Set<() => void> {
  const set = new Set<() => void>();
  followers.set(signal, set);
  signal.addEventListener(
    "abort",
    () => {
      for (const follower of set) follower();
      set.clear();
    },
    { once: true },
  );
  return set;
}
