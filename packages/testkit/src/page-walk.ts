import type { ReplicaStore } from "@meridian/ports";
import { expect } from "vitest";

/** Keys with numbers in their order. */
export function numbered(count: number): string[] {
  return Array.from({ length: count }, (_, at) => `k${String(at).padStart(2, "0")}`);
}

/**
 * The keys of all summaries that count under `horizon`, walked in pages of `limit` over what holds `keys` and nothing else. Expects
 * that no page passes more keys than that, so that its work is bounded.
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
