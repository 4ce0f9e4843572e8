const FIRST_PAUSE_MS = 500;
const PAUSE_MAX_MS = 15_000;

/** The pause before an attempt: twice as long each time, and a fifth more or less, so that not all pages come at once. */
export function pauseBefore(attempt: number, chance: number): number {
  const whole = Math.min(PAUSE_MAX_MS, FIRST_PAUSE_MS * 2 ** Math.min(attempt, 10));
  return whole * (0.8 + 0.4 * chance);
}
