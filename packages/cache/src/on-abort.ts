/** One listener a signal, however many follow it: from the eleventh on, platforms warn of a leak. */
const followers = new WeakMap<AbortSignal, Set<() => void>>();

/** Calls `leave` when the signal aborts, until the function that comes back is called. */
export function onAbort(signal: AbortSignal, leave: () => void): () => void {
  let set = followers.get(signal);
  if (set === undefined) {
    const all = new Set<() => void>();
    followers.set(signal, (set = all));
    signal.addEventListener("abort", () => all.forEach((each) => each()), { once: true });
  }
  const known = set;
  known.add(leave);
  return () => void known.delete(leave);
}
