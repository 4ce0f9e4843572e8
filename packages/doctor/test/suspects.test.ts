import { compareKeys, type KeyRange, type Stamp } from "@meridian/protocol";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { walk, type Walked } from "../src/verify/suspects.ts";

type Held = ReadonlyMap<string, Stamp>;

/** What is special about a party. */
interface Given {
  /** Counts what it was asked for. */
  readonly asked?: { entries: number };
  readonly horizon?: number;
  /** What all of its entries are. */
  readonly state?: "live" | "deleted";
}

/** A party that holds this. */
function partyOf(
  held: Held,
  { asked = { entries: 0 }, horizon = 0, state = "live" }: Given = {},
): Walked {
  const all = [...held].toSorted(([a], [b]) => compareKeys(a, b));
  const within = ({ after, through }: KeyRange): (readonly [string, Stamp])[] =>
    all.filter(
      ([key]) =>
        (after === null || compareKeys(key, after) > 0) &&
        (through === null || compareKeys(key, through) <= 0),
    );
  return {
    digest: (range, limit) => {
      const page = within(range).slice(0, limit);
      const next = page.length < limit ? null : (page.at(-1)?.[0] ?? null);
      return Promise.resolve({ count: page.length, fingerprint: JSON.stringify(page), next });
    },
    entries: (range) => {
      const found = within(range);
      asked.entries += found.length;
      const entries = new Map(
        found.map(([key, each]) => [key, { stamp: each, state, expiresAtMs: null }]),
      );
      return Promise.resolve({ horizon, entries });
    },
  };
}

async function differingKeys(parties: readonly Walked[]): Promise<string[]> {
  const found: string[] = [];
  for await (const { suspect } of walk(parties)) found.push(...(suspect?.keys.keys() ?? []));
  return found.toSorted(compareKeys);
}

const stamp = (time: number): Stamp => ({ time, origin: 1 });
const nameOf = (index: number): string => `k${String(index).padStart(6, "0")}`;

describe("the walk over what parties hold", () => {
  it("finds exactly the keys that differ, and counts what each holds", async () => {
    const change = fc.tuple(fc.nat(2_999), fc.nat(2), fc.constantFrom("newer", "gone", "extra"));
    await fc.assert(
      fc.asyncProperty(fc.array(change, { maxLength: 12 }), async (changes) => {
        const base = Array.from({ length: 3_000 }, (_, n) => [nameOf(n), stamp(5)] as const);
        const held = [0, 1, 2].map(() => new Map(base));
        const expected = new Set<string>();
        for (const [index, party, kind] of changes) {
          const key = kind === "extra" ? `${nameOf(index)}x` : nameOf(index);
          if (kind === "gone") held[party]?.delete(key);
          else held[party]?.set(key, stamp(6));
          expected.add(key);
        }
        const differing = [...expected].filter((key) => {
          const times = held.map((each) => each.get(key)?.time);
          return times.some((time) => time !== times[0]);
        });
        const parties = held.map((each) => partyOf(each));
        expect(await differingKeys(parties)).toEqual(differing.toSorted(compareKeys));
        const counts = held.map(() => 0);
        for await (const step of walk(parties)) {
          for (const [party, count] of step.counts.entries()) {
            counts[party] = (counts[party] ?? 0) + count;
          }
        }
        expect(counts).toEqual(held.map(({ size }) => size));
      }),
      { numRuns: 25 },
    );
  });

  it("finds everything where one party has nothing", async () => {
    const all = new Map(Array.from({ length: 700 }, (_, n) => [nameOf(n), stamp(5)]));
    const found = await differingKeys([partyOf(new Map()), partyOf(all)]);
    expect(found).toEqual([...all.keys()]);
  });

  it("takes a tombstone for nothing that another party was right to forget", async () => {
    const all = new Map(Array.from({ length: 9 }, (_, n) => [nameOf(n), stamp(n)]));
    const kept = partyOf(all, { state: "deleted" });
    const found = await differingKeys([kept, partyOf(new Map(), { horizon: 5 })]);
    expect(found).toEqual([6, 7, 8].map(nameOf));
    const live = partyOf(all);
    expect(await differingKeys([live, partyOf(new Map(), { horizon: 5 })])).toHaveLength(9);
  });

  it("lists few entries to find one key among many", async () => {
    const all = Array.from({ length: 20_000 }, (_, n) => [nameOf(n), stamp(5)] as const);
    const asked = { entries: 0 };
    const other = new Map(all).set(nameOf(12_345), stamp(6));
    const found = await differingKeys([partyOf(new Map(all)), partyOf(other, { asked })]);
    expect(found).toEqual([nameOf(12_345)]);
    expect(asked.entries).toBe(256);
  });
});
