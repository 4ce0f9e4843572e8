/** The callbacks of each signal. A signal gets one listener for all of them, because platforms warn of a leak from the eleventh listener on. */
const followers = new WeakMap<AbortSignal, Set<() => void>>();

/** Calls `leave` when the signal aborts, unless the returned function was called before. */
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
