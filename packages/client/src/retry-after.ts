/** The longest time that a server is believed to mean. */
const WAIT_MS_MAX = 60_000;

/**
 * How long the server asks to be left alone (RFC 9110, section 10.2.3): seconds, or an instant on its own clock. In
 * milliseconds from 0 to 60 000; 0 where it does not ask, or in words that are none.
 */
export function retryAfterMs(headers: Headers, nowMs: number): number {
  const text = headers.get("retry-after");
  if (text === null) return 0;
  // Platforms take all kinds of text for a date.
  const instantMs = /^[A-Z][a-z]{2}, .* GMT$/.test(text) ? Date.parse(text) : NaN;
  const waitMs = /^\d+$/.test(text) ? Number(text) * 1000 : instantMs - nowMs;
  return waitMs > 0 ? Math.min(WAIT_MS_MAX, waitMs) : 0;
}
