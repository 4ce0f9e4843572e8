import { compareKeys, type Summary, type KeyRange } from "@meridian/protocol";
import { digestOf, digestPage, type PagedSource, type SummarySource } from "@meridian/replication";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

const ALL: KeyRange = { after: null, through: null };

function sourceOf(summaries: readonly Summary[]): SummarySource & PagedSource {
  const sorted = summaries.toSorted((a, b) => compareKeys(a.key, b.key));
  const after = (key: string | null, limit: number): Summary[] =>
    sorted.filter((each) => key === null || compareKeys(each.key, key) > 0).slice(0, limit);
  return {
    summariesAfter: after,
    summaryPage: (key, limit) => {
      const found = after(key, limit);
      const next = found.length < limit ? null : (found.at(-1)?.key ?? null);
      return { summaries: found, next };
    },
  };
}

function many(count: number): Summary[] {
  return Array.from({ length: count }, (_, index) => ({
    key: `k${String(index).padStart(6, "0")}`,
    stamp: { time: index + 1, origin: 7 },
  }));
}

describe("the digest of a part of the keys", () => {
  it("is that of the entries in it, and the pages make up the whole", async () => {
    const key = fc.string({ unit: "binary", minLength: 1, maxLength: 3 });
    const stamp = fc.record({ time: fc.nat(), origin: fc.integer({ min: 1, max: 9 }) });
    const entries = fc.uniqueArray(fc.record({ key, stamp }), { selector: (each) => each.key });
    const bound = fc.option(key);
    await fc.assert(
      fc.asyncProperty(entries, bound, bound, fc.nat(5), async (all, after, through, extra) => {
        const source = sourceOf(all);
        const expected = source
          .summariesAfter(after, all.length + 1)
          .filter((each) => through === null || compareKeys(each.key, through) <= 0);
        let seen = 0;
        for (let from = after; ;) {
          const range = { after: from, through };
          const page = await digestPage(source, range, extra + 1, setImmediate);
          const part = expected.slice(seen, seen + extra + 1);
          const { count, fingerprint } = digestOf(part);
          expect(page).toMatchObject({ count, fingerprint });
          seen += page.count;
          if (page.next === null) break;
          expect(page.next).toBe(part.at(-1)?.key);
          from = page.next;
        }
        expect(seen).toBe(expected.length);
      }),
    );
  });

  it("says where the next begins only while there may be one", async () => {
    const source = sourceOf(many(3));
    const last = "k000002";
    expect(await digestPage(source, ALL, 3, setImmediate)).toMatchObject({ count: 3, next: last });
    expect(await digestPage(source, ALL, 4, setImmediate)).toMatchObject({ count: 3, next: null });
    const through = await digestPage(source, { after: null, through: last }, 3, setImmediate);
    expect(through.next).toBeNull();
    const rest = await digestPage(source, { after: last, through: null }, 3, setImmediate);
    expect(rest).toEqual({ count: 0, fingerprint: "0000000000000000", next: null });
  });

  it("lets other work run while it reads many entries", async () => {
    const pauses: (() => void)[] = [];
    const digest = digestPage(sourceOf(many(2_500)), ALL, 5_000, (run) => pauses.push(run));
    let paused = 0;
    for (; pauses.length > 0; paused += 1) {
      pauses.shift()?.();
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await digest).toMatchObject({ count: 2_500, next: null });
    expect(paused).toBe(9);
  });
});
