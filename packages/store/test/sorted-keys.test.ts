import { compareKeys } from "@meridian/protocol";
import fc from "fast-check";
import { expect, it } from "vitest";
import { SortedKeys } from "../src/sorted-keys.ts";

it("has the same keys as a sorted list, whatever is added and removed", () => {
  const step = fc.tuple(fc.boolean(), fc.nat(2_000));
  const run = (steps: readonly (readonly [boolean, number])[], start: number, ask: number) => {
    const first = Array.from({ length: start }, (_, index) => `k${index}`).toSorted(compareKeys);
    const keys = new SortedKeys(first);
    const model = new Set(first);
    for (const [isAdded, number] of steps) {
      const key = `k${number}`;
      if (isAdded) keys.add(key);
      else keys.delete(key);
      if (isAdded) model.add(key);
      else model.delete(key);
    }
    const sorted = [...model].toSorted(compareKeys);
    expect([...keys.after(null)]).toEqual(sorted);
    const after = `k${ask}`;
    expect([...keys.after(after)]).toEqual(sorted.filter((key) => compareKeys(key, after) > 0));
  };
  fc.assert(fc.property(fc.array(step, { maxLength: 1_500 }), fc.nat(1_500), fc.nat(2_000), run), {
    numRuns: 50,
  });
});
