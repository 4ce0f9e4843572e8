import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TlruCache } from "../src/index.ts";
import { Slots } from "../src/slots.ts";
import { StringIndex } from "../src/string-index.ts";
import { expectSame } from "./expect-same.ts";
import { FakeClock } from "./fake-clock.ts";
import { place } from "./place.ts";
import { trace } from "./trace.ts";

/** Words of four characters that hash alike under any seed. */
const ALIKE = ["\u0100\u0000AA", "\u0000\u0001AA"];
const collidingKey = (id: number): string =>
  Array.from({ length: 15 }, (_, bit) => ALIKE[(id >> bit) & 1]).join("");

describe("many keys", () => {
  const shapes: [string, (id: number) => unknown][] = [
    ["numbers in the middle", (id) => `tenant:7:user:${id}:profile:v2`],
    ["numbers at the end", (id) => `https://example.org/a/rather/long/path?id=${id}`],
    ["differences beyond what is learned from", (id) => `${"x".repeat(80)}${id}${"y".repeat(80)}`],
    ["differences that move as keys come", (id) => `${"-".repeat(id % 40)}${id}${"-".repeat(40)}`],
    ["short ones", (id) => id.toString(36)],
    ["made to collide", collidingKey],
    ["some numbers, some strings", (id) => (id % 3 === 0 ? id : `key number ${id} of many`)],
  ];

  it.each(shapes)(
    "are found, kept apart and evicted as by a Map: %s",
    (_, keyOf) => {
      const maxEntries = 3_000;
      const cache = new TlruCache<unknown, number>({ maxEntries });
      const order = new Map<unknown, number>();
      for (const id of trace(3, 30_000).map((one) => one % 20_000)) {
        const key = keyOf(id);
        const expected = order.get(key);
        order.delete(key);
        const gone = id % 11 === 0;
        const got = gone ? cache.delete(key) : cache.get(key);
        expectSame(got, gone ? expected !== undefined : expected);
        if (gone) continue;
        cache.set(key, id);
        order.set(key, id);
        if (order.size > maxEntries) order.delete(order.keys().next().value);
      }
      expect(cache.snapshot().entries.map(([key, value]) => [key, value])).toEqual([...order]);
    },
    60_000,
  );

  it("made to collide are found without looking at more than a few others", () => {
    class CountingSlots extends Slots {
      looks = 0;
      override key(slot: number): unknown {
        this.looks++;
        return super.key(slot);
      }
    }
    const count = 20_000;
    const looksFor = (keyOf: (id: number) => string): number => {
      const slots = new CountingSlots(count);
      const index = new StringIndex(slots, 7, false);
      for (let id = 0; id < count; id++) {
        const hash = index.hashOf(keyOf(id));
        index.add(place(slots, keyOf(id), id), hash);
      }
      slots.looks = 0;
      let wrong = 0;
      for (let id = 0; id < count; id++) {
        const key = keyOf(id);
        if (index.find(key, index.hashOf(key)) !== id + 1) wrong++;
      }
      expect(wrong).toBe(0);
      return slots.looks / count;
    };
    expect(looksFor((id) => String(id).padStart(60, "key-"))).toBeLessThan(2);
    // Without the Maps it would be hundreds.
    expect(looksFor(collidingKey)).toBeLessThan(10);
  });
});

describe("many expiries", () => {
  it("the timer frees exactly what is past its time, over several levels of the tree, in bounded slices", () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.integer({ min: 1, max: 100 }).map((time) => time * 100),
          { minLength: 5, maxLength: 40 },
        ),
        (times) => {
          const clock = new FakeClock();
          const entries = 9_000;
          const cache = new TlruCache<number, number>({ maxEntries: entries, clock });
          const ttlOf = (id: number): number => times[id % times.length] as number;
          for (let id = 0; id < entries; id++) cache.set(id, id, ttlOf(id));
          for (const at of [...new Set(times)].toSorted((a, b) => a - b)) {
            // 50 ms until the next sweep, and a slice of 512 in each millisecond.
            clock.advance(at + 80 - clock.wallMs + 1_000);
            let live = 0;
            for (let id = 0; id < entries; id++) if (1_000 + ttlOf(id) > clock.wallMs) live++;
            expect(cache.size).toBe(live);
          }
          expect(cache.stats().removals).toMatchObject({ expired: entries, evicted: 0 });
        },
      ),
      { numRuns: 10 },
    );
  });

  it("no live entry is evicted while any expired one is left", () => {
    const clock = new FakeClock();
    const cache = new TlruCache<number, number>({ maxEntries: 6_000, clock });
    for (let id = 0; id < 6_000; id++) cache.set(id, id, id % 3 === 0 ? 10 + (id % 50) : 1e6);
    cache.close(); // no sweeps: what is expired is still there
    clock.advance(100);
    for (let id = 0; id < 2_000; id++) cache.set(10_000 + id, id);
    expect(cache.stats().removals).toMatchObject({ expired: 2_000, evicted: 0 });
    cache.set(20_000, 0);
    expect(cache.stats().removals).toMatchObject({ expired: 2_000, evicted: 1 });
  });

  it("a slice of the sweep frees 512 entries at most", () => {
    const clock = new FakeClock();
    const cache = new TlruCache<number, number>({ maxEntries: 10_000, clock });
    for (let id = 0; id < 10_000; id++) cache.set(id, id, 10);
    let before = cache.size;
    for (let ms = 0; ms < 60 && before > 0; ms++) {
      clock.advance(1);
      expect(before - cache.size).toBeLessThanOrEqual(512);
      before = cache.size;
    }
    expect(before).toBe(0);
  });
});

describe("memory", () => {
  it("is flat over an hour of churn", () => {
    setFlagsFromString("--expose-gc");
    const gc = runInNewContext("gc") as () => void;
    setFlagsFromString("--no-expose-gc");
    const clock = new FakeClock();
    const cache = new TlruCache<string, { id: number }>({
      maxEntries: 20_000,
      clock,
      ttlMs: 60_000,
    });
    let id = 0;
    const churn = (minutes: number): number => {
      for (let second = 0; second < minutes * 60; second++) {
        for (let n = 0; n < 250; n++, id++)
          cache.set(`session:${id}:of:somebody`, { id }, 1 + (id % 120_000));
        clock.advance(1_000);
      }
      gc();
      return process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers;
    };
    const start = churn(20);
    // What grows stays; what else is going on in this process comes and goes.
    const later = [10, 10, 10, 10].map(churn);
    expect(Math.min(...later) / start).toBeLessThan(1.02);
  });
});
