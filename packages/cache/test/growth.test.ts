import { describe, expect, it } from "vitest";
import { TlruCache } from "../src/index.ts";
import { ENTRIES_MAX, PAGE, Slots } from "../src/slots.ts";
import { PLACES_PER_ADDITION, StringIndex } from "../src/string-index.ts";
import { trace } from "./trace.ts";

const COUNT = 100_000;

const SHAPES: [string, (id: number) => string][] = [
  ["one pattern", (id) => `tenant:7:user:${id}:profile:v2`],
  [
    "patterns that change, so that the index learns anew",
    (id) => `${"-".repeat(id % 40)}${id}${"-".repeat(40)}`,
  ],
  [
    "a pattern whose differences were not seen in the first keys",
    (id) => `${"a".repeat(20)}${id < 400 ? id : `${id}`.padEnd(50, "b")}${"c".repeat(60)}`,
  ],
];

describe("growth", () => {
  it("of keys and values copies no more than the first page", () => {
    const slots = new Slots(COUNT);
    const pages: unknown[][] = [];
    let copied = 0;
    for (let id = 0; id < COUNT; id++) {
      const slot = slots.take(id, id, 0);
      // As long as a full page is the same array, nobody copied it.
      pages.forEach((pairs, page) => {
        if (pairs !== slots.pairs[page]) copied++;
      });
      if (slot % PAGE === PAGE - 1) {
        const page = Math.floor(slot / PAGE);
        pages.push(slots.pairs[page] as unknown[]);
      }
    }
    expect(copied).toBe(0);
    expect(pages).toHaveLength(Math.floor((COUNT + 1) / PAGE));
    let lost = 0;
    for (let id = 0; id < COUNT; id++) if (slots.key(id + 1) !== id) lost++;
    expect(lost).toBe(0);
  });

  it.each([
    ["bounded", 3_000_000],
    ["without a bound", ENTRIES_MAX],
  ])("of the records copies 65,536 of them at most in one call: %s", (_, entriesMax) => {
    const slots = new Slots(entriesMax);
    let copied = 0;
    let growths = 0;
    for (let id = 0; id < 300_000; id++) {
      const { used, words } = slots;
      slots.take(id, id, 0);
      if (slots.words === words) continue;
      growths++;
      copied = Math.max(copied, used);
    }
    expect(copied).toBe(2 ** 16);
    expect(growths).toBeGreaterThan(3);
  });

  it.each(SHAPES)(
    "of the index moves a few keys a call, and finds all meanwhile: %s",
    (_, keyOf) => {
      const slots = new Slots(COUNT);
      const index = new StringIndex(slots, 5);
      const find = (key: string): number => index.find(key, index.hashOf(key));
      const draws = trace(11, COUNT);
      const moved: number[] = [];
      let wrong = 0;
      for (let id = 0; id < COUNT; id++) {
        const key = keyOf(id);
        const hash = index.hashOf(key);
        index.add(slots.take(key, id, 0), hash);
        moved.push(index.moved);
        const other = (draws[id] as number) % (id + 1);
        if (find(keyOf(other)) !== other + 1) wrong++;
        if (find(`${key}!`) !== 0) wrong++;
      }
      for (let id = 0; id < COUNT; id++) if (find(keyOf(id)) !== id + 1) wrong++;
      expect(wrong).toBe(0);
      expect(moved.reduce((most, one) => Math.max(most, one))).toBeLessThanOrEqual(
        PLACES_PER_ADDITION,
      );
      // It did grow, and more than once.
      expect(moved.reduce((sum, one) => sum + one)).toBeGreaterThan(COUNT / 2);
    },
  );
});

describe("a growing index", () => {
  it("goes on while keys leave, and loses none and keeps none too many", () => {
    const slots = new Slots(COUNT);
    const index = new StringIndex(slots, 6);
    const find = (key: string): number => index.find(key, index.hashOf(key));
    const model = new Map<string, number>();
    const draws = trace(12, COUNT).map((one) => one % 30_000);
    let wrong = 0;
    for (const [step, id] of draws.entries()) {
      const key = `tenant:7:user:${id}:profile:v2`;
      const slot = model.get(key);
      if (find(key) !== (slot ?? 0)) wrong++;
      if (slot === undefined) {
        const hash = index.hashOf(key);
        const taken = slots.take(key, id, 0);
        index.add(taken, hash);
        model.set(key, taken);
      } else if (step % 3 === 0) {
        index.remove(slot);
        slots.release(slot);
        model.delete(key);
      }
    }
    for (const [key, slot] of model) if (find(key) !== slot) wrong++;
    expect(wrong).toBe(0);
    expect(model.size).toBeGreaterThan(1_000);
  });

  it("of a cache with many pages keeps every entry", () => {
    const cache = new TlruCache<string, number>({ maxBytes: COUNT, sizeOf: () => 1, ttlMs: 1e9 });
    for (let id = 0; id < COUNT; id++) cache.set(`k:${id}`, id);
    let found = 0;
    for (let id = 0; id < COUNT; id++) if (cache.peek(`k:${id}`) === id) found++;
    expect(cache.size).toBe(COUNT);
    expect(found).toBe(COUNT);
    cache.close();
  });
});
