import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TlruCache } from "../src/index.ts";
import { trace } from "./trace.ts";

const REQUESTS = trace(7, 200_000);

function missesOf(
  policy: "lru" | "adaptive",
  maxEntries: number,
  keyOf: (id: number) => unknown,
): number {
  const cache = new TlruCache<unknown, number>({ maxEntries, policy });
  for (const id of REQUESTS) {
    const key = keyOf(id);
    if (cache.get(key) === undefined) cache.set(key, id);
  }
  cache.close();
  return cache.stats().misses;
}

/** Textbook LRU: a Map in the order of use. */
function textbookMisses(maxEntries: number): number {
  const order = new Map<number, true>();
  let misses = 0;
  for (const id of REQUESTS) {
    if (!order.delete(id)) {
      misses++;
      if (order.size === maxEntries) order.delete(order.keys().next().value as number);
    }
    order.set(id, true);
  }
  return misses;
}

/** Counted once by `textbookMisses`, kept as numbers. */
const LRU_MISSES: [maxEntries: number, misses: number][] = [
  [100, 176242],
  [500, 157456],
  [2000, 151484],
  [8000, 130080],
];

describe("lru", () => {
  it.each(LRU_MISSES)(
    "with %i entries misses exactly as textbook LRU: %i times",
    (maxEntries, misses) => {
      expect(textbookMisses(maxEntries)).toBe(misses);
      expect(missesOf("lru", maxEntries, (id) => id)).toBe(misses);
      expect(missesOf("lru", maxEntries, (id) => `tenant:7:user:${id}:profile`)).toBe(misses);
    },
  );
});

describe("adaptive", () => {
  it.each(LRU_MISSES)(
    "with %i entries misses less than the %i times of LRU",
    (maxEntries, misses) => {
      expect(missesOf("adaptive", maxEntries, (id) => `tenant:7:user:${id}:profile`)).toBeLessThan(
        misses,
      );
    },
  );

  it("keeps what is popular while a scan passes through", () => {
    const cache = new TlruCache<number, number>({ maxEntries: 1_000, policy: "adaptive" });
    for (let round = 0; round < 10; round++) {
      for (let id = 0; id < 500; id++) if (cache.get(id) === undefined) cache.set(id, id);
    }
    for (let id = 10_000; id < 60_000; id++) cache.set(id, id);
    let kept = 0;
    for (let id = 0; id < 500; id++) if (cache.has(id)) kept++;
    cache.close();
    expect(kept).toBeGreaterThan(450);
  });
});

describe("due", () => {
  it("evicts by the rank of values, however they are used and whatever becomes of their time", () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            id: fc.integer({ min: 0, max: 400 }),
            due: fc.constantFrom(1, 2, 3, Infinity),
            touches: fc.boolean(),
          }),
          { minLength: 200, maxLength: 600 },
        ),
        (steps) => {
          const cache = new TlruCache<number, { due: number; state: number }>({
            maxEntries: 100,
            policy: "due",
            rank: (value) => value,
          });
          const model = new Map<number, { due: number; state: number }>();
          const first = (): number | undefined => {
            const order = [...model].toSorted(([, a], [, b]) =>
              a.due === b.due ? a.state - b.state : a.due < b.due ? -1 : 1,
            );
            return order[0]?.[0];
          };
          for (const [state, { id, due, touches }] of steps.entries()) {
            if (touches) {
              cache.get(id);
              cache.touch(id, 60_000);
              continue;
            }
            if (!model.has(id) && model.size === 100) model.delete(first() ?? -1);
            const value = { due, state: -state };
            model.set(id, value);
            cache.set(id, value);
            expect(cache.oldest).toBe(first());
          }
          expect(new Map(cache)).toEqual(model);
          cache.close();
        },
      ),
      { numRuns: 30 },
    );
  });

  it("refuses a rank that is none, and changes nothing", () => {
    const options = { maxEntries: 2, policy: "due" } as const;
    const cache = new TlruCache<string, number>({
      ...options,
      rank: (value) => ({ due: value, state: 0 }),
    });
    cache.set("a", 1);
    expect(() => cache.set("a", NaN)).toThrow(
      expect.objectContaining({ code: "BAD_RANK" }) as Error,
    );
    expect(cache.get("a")).toBe(1);
    cache.close();
    const rank = (): { due: number; state: number } => ({ due: 1, state: 1 });
    expect(() => new TlruCache({ maxEntries: 1, rank })).toThrow("with the policy `due`");
  });
});
