/** A change at one region is at the others a moment later, in milliseconds. */
const SOON_MS = 250;
const LATER_MS = 2_000;

/** Asks a moment after the first change, and once more when there have been none for a while. */
export function askingSoon(ask: () => void) {
  let first: ReturnType<typeof setTimeout> | undefined;
  let later: ReturnType<typeof setTimeout> | undefined;
  return {
    askSoon: () => {
      // A key that changes all the time must not put off the first question for ever.
      first ??= setTimeout(() => {
        first = undefined;
        ask();
      }, SOON_MS);
      clearTimeout(later);
      later = setTimeout(ask, LATER_MS);
    },
    clear: () => {
      clearTimeout(first);
      clearTimeout(later);
    },
  };
}
