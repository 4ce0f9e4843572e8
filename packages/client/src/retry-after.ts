import type { AnswerHeaders } from "./exchange.ts";

/** Longer times of a server are cut to this, in milliseconds. */
const WAIT_MS_MAX = 60_000;

/**
 * Reads `Retry-After` (RFC 9110, section 10.2.3): seconds, or an instant on the server's clock. Returns
 * milliseconds from 0 to 60 000; 0 if the header is absent or invalid.
 */
export function retryAfterMs(headers: AnswerHeaders, nowMs: number): number {
  const text = headers.get("retry-after");
  if (text === null) return 0;
  // `Date.parse` accepts many texts that are not HTTP dates.
  const instantMs = /^[A-Z][a-z]{2}, .* GMT$/.test(text) ? Date.parse(text) : NaN;
  const waitMs = /^\d+$/.test(text) ? Number(text) * 1000 : instantMs - nowMs;
  return waitMs > 0 ? Math.min(WAIT_MS_MAX, waitMs) : 0;
}
