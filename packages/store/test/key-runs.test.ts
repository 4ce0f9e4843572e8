import { compareKeys } from "@meridian/protocol";
import fc from "fast-check";
import { expect, it } from "vitest";
import { KeyRuns, type Keyed } from "../src/key-runs.ts";

it("gives the items of all rows that are there in the order of their keys, whatever comes and goes", () => {
  const row = fc.array(fc.nat(4_000), { maxLength: 700 });
  const run = (rows: readonly (readonly number[])[], dropped: number, ask: number) => {
    const runs = new KeyRuns<Keyed & { readonly row: number }>();
    const all = rows.map((numbers, index) =>
      numbers.map((number) => ({ key: `k${number}`, row: index + 1 })),
    );
    for (const [index, items] of all.entries()) {
      runs.add(index + 1, items);
      // Some of the rows go while others come.
      if (index + 1 === rows.length - 2) runs.drop(dropped);
    }
    const left = all.flat().filter((item) => item.row > dropped || rows.length < 3);
    for (const after of [null, `k${ask}`]) {
      const wanted = left.filter(({ key }) => after === null || compareKeys(key, after) > 0);
      const found = [...runs.after(after)];
      const keys = found.map(({ key }) => key);
      expect(keys).toEqual(keys.toSorted(compareKeys));
      expect(new Set(found).size).toBe(found.length);
      expect(new Set(found)).toEqual(new Set([...found, ...wanted]));
    }
  };
  fc.assert(fc.property(fc.array(row, { maxLength: 12 }), fc.nat(9), fc.nat(4_000), run), {
    numRuns: 40,
  });
});

it("keeps all items of a row that makes several runs until the row is gone", () => {
  const runs = new KeyRuns();
  runs.add(
    7,
    Array.from({ length: 5_000 }, (_, index) => ({ key: String(index) })),
  );
  runs.drop(6);
  expect([...runs.after(null)]).toHaveLength(5_000);
  runs.drop(7);
  expect([...runs.after(null)].length).toBeLessThan(1_024);
});

it("forgets a run with its last row, so that it holds fewer than a thousand items that have gone", () => {
  const runs = new KeyRuns();
  for (let row = 1; row <= 50; row += 1) {
    runs.add(
      row,
      Array.from({ length: 100 }, (_, index) => ({ key: `${row}/${index}` })),
    );
    runs.drop(row - 10);
    expect([...runs.after(null)].length).toBeLessThan(1_000 + 2 * 1_024);
  }
  runs.drop(50);
  expect([...runs.after(null)].length).toBeLessThan(1_024);
});
