import type { ReplicaStore } from "@meridian/ports";
import { expect } from "vitest";

/** `count` keys that have the order of their numbers. */
export function numbered(count: number): string[] {
  return Array.from({ length: count }, (_, at) => `k${String(at).padStart(2, "0")}`);
}

/**
 * Walks all summaries under `horizon` in pages of `limit`, over a store with exactly the keys `keys`, and returns the keys of the summaries. Expects
 * that no page passes more than `limit` keys, so that the work of a page is bounded.
 */
export function pagesOf(
  source: Pick<ReplicaStore, "summaryPage">,
  keys: readonly string[],
  limit: number,
  horizon: number,
): string[] {
  const found: string[] = [];
  let passed = 0;
  for (let after: string | null = null; ;) {
    const { summaries, next } = source.summaryPage(after, limit, horizon);
    found.push(...summaries.map(({ key }) => key));
    const through = next === null ? keys.length : keys.indexOf(next) + 1;
    expect(through - passed).toBeLessThanOrEqual(limit);
    if (next === null) return found;
    expect(through).toBeGreaterThan(passed);
    passed = through;
    after = next;
  }
}
