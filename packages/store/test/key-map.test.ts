import { expect, it } from "vitest";

import { KeyMap, partOf } from "../src/key-map.ts";

it("behaves like a Map for any keys, also the empty one", () => {
  const map = new KeyMap<{ readonly step: number }>();
  const model = new Map<string, number>();
  const keys = ["", "a", "b", "ab", "\u{1f600}", ...Array.from({ length: 500 }, (_, i) => `k${i}`)];
  for (let step = 0; step < 3_000; step += 1) {
    const key = keys[(step * 7_919) % keys.length] ?? "";
    if (step % 3 === 0) {
      map.delete(key);
      model.delete(key);
    } else {
      map.obtain(key, () => ({ step }));
      model.set(key, model.get(key) ?? step);
    }
    expect([map.size, map.get(key)?.step]).toEqual([model.size, model.get(key)]);
  }
  expect(new Set([...map.values()].map(({ step }) => step))).toEqual(new Set(model.values()));
  expect([...map.values()]).toHaveLength(model.size);
});

it.each([
  ["numbers", (index: number) => `k${String(index).padStart(8, "0")}`],
  ["numbers before words", (index: number) => `user/${index}/profile`],
  ["numbers between words", (index: number) => `tenant/acme/order/${index}/lines/all`],
])("spreads keys of %s over parts, of which none has many of them", (_, keyOf) => {
  const counts = new Map<number, number>();
  for (let index = 0; index < 100_000; index += 1) {
    const part = partOf(keyOf(index));
    counts.set(part, (counts.get(part) ?? 0) + 1);
  }
  expect(Math.max(...counts.values())).toBeLessThan(4_000);
});
