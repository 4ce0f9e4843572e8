import type { FillPlan } from "./fill-options.ts";

/**
 * How an entry may be used. `fresh`: as it is. `refresh`: as it is, and loaded anew in the background. `fallback`: only if a load
 * fails. `old`: not at all.
 */
export type Freshness = "fresh" | "refresh" | "fallback" | "old";

/** How an entry that was written `ageMs` ago may be used. */
export function freshnessOf(plan: FillPlan, etag: string, ageMs: number): Freshness {
  const { freshMs, staleMs, staleIfErrorMs, earlyRefresh, jitter } = plan;
  if (freshMs === Infinity) return "fresh";
  const untilMs = freshMs * (1 - jitter * shareOf(etag));
  if (ageMs < untilMs) return ageMs >= untilMs * earlyRefresh ? "refresh" : "fresh";
  if (ageMs < untilMs + staleMs) return "refresh";
  return ageMs < untilMs + staleIfErrorMs ? "fallback" : "old";
}

/** A number from 0 to 1 computed from the etag, so that all readers get the same (FNV-1a). */
function shareOf(etag: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < etag.length; index += 1) {
    hash = Math.imul(hash ^ etag.charCodeAt(index), 0x01000193);
  }
  return (hash >>> 0) / 2 ** 32;
}
