import { describe, expect, it } from "vitest";
import { TlruCache } from "../src/index.ts";
import { ENTRIES_MAX, PAGE, Slots } from "../src/slots.ts";
import { PLACES_PER_ADDITION, StringIndex } from "../src/string-index.ts";
import { trace } from "./trace.ts";
import { place } from "./place.ts";

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
      const slot = place(slots, id, id);
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
      place(slots, id, id);
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
      const index = new StringIndex(slots, 5, false);
      const find = (key: string): number => index.find(key, index.hashOf(key));
      const draws = trace(11, COUNT);
      const moved: number[] = [];
      let wrong = 0;
      for (let id = 0; id < COUNT; id++) {
        const key = keyOf(id);
        const hash = index.hashOf(key);
        index.add(place(slots, key, id), hash);
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
    const index = new StringIndex(slots, 6, false);
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
        const taken = place(slots, key, id);
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

  it("learns anew where keys differ as often as that changes, and goes on reading few places", () => {
    const slots = new Slots(COUNT);
    const index = new StringIndex(slots, 7, false);
    const taken: number[] = [];
    let lost = 0;
    // What differs moves on by ten places from time to time, and wanders off what was learned.
    const keyOf = (id: number): string => {
      const at = (Math.floor(id / 25_000) * 10) % 50;
      return "x".repeat(at) + String(id % 1_000).padStart(4, "0") + "x".repeat(56 - at);
    };
    for (let id = 0; id < 250_000; id++) {
      const key = keyOf(id);
      if (taken.length === 500) {
        const old = taken.shift() as number;
        index.remove(old);
        slots.release(old);
      }
      const hash = index.hashOf(key);
      const slot = place(slots, key, id);
      index.add(slot, hash);
      taken.push(slot);
      if (index.find(key, index.hashOf(key)) !== slot) lost++;
    }
    expect(lost).toBe(0);
    // Reading all of a key would tell these apart.
    const key = keyOf(0);
    const changed = Array.from(key, (_, at) => `${key.slice(0, at)}y${key.slice(at + 1)}`);
    expect(changed.some((one) => index.hashOf(one) === index.hashOf(key))).toBe(true);
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
