import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CoreCache } from "../src/core.ts";
import { TlruCache } from "../src/index.ts";
import { expectSame } from "./expect-same.ts";
import { FakeClock } from "./fake-clock.ts";
import { ModelCache } from "./model.ts";

const KEYS = ["a", "b", "c", "d", "e", "f", "g", "h", "__proto__", "constructor", ""];
const MAX_BYTES = 30;
const sized = (value: number): number => value % 100;

type Step =
  | { do: "set"; key: string; value: number; ttlMs: number }
  | { do: "get" | "peek" | "delete" | "touch"; key: string }
  | { do: "renew"; key: string; ttlMs: number }
  | { do: "pass" | "jump"; ms: number }
  | { do: "clear" };

const key = fc.constantFrom(...KEYS);
const ttlMs = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 1, max: 400 }) },
  { weight: 3, arbitrary: fc.constant(Infinity) },
  { weight: 1, arbitrary: fc.constantFrom(0, -5, -Infinity, 2 ** 60, 1e9, 0.5) },
);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("set" as const),
      key,
      value: fc.integer({ min: 0, max: 935 }),
      ttlMs,
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constantFrom("get" as const, "touch" as const), key }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constantFrom("peek" as const, "delete" as const), key }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("renew" as const), key, ttlMs }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("pass" as const),
      ms: fc.integer({ min: 0, max: 300 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("jump" as const),
      ms: fc.integer({ min: -1e9, max: 500 }),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ do: "clear" as const }) },
);

/** Both caches, with two more things to see. */
class OpenCore extends CoreCache<string, number> {
  /** Reads the clock. */
  refresh(): void {
    this.time.refresh();
  }
  order(): string[] {
    return Array.from(this.inOrder(), (slot) => this.slots.key(slot) as string);
  }
}
class OpenTlru extends TlruCache<string, number> {
  refresh(): void {
    this.explain("");
  }
  order(): string[] {
    return this.snapshot().entries.map(([one]) => one);
  }
}

interface Rig {
  readonly cache: OpenCore | OpenTlru;
  readonly model: ModelCache;
  readonly clock: FakeClock;
  /** What values count for; undefined if only entries count. */
  readonly sizeOf: ((value: number) => number) | undefined;
}

/** Does one step on both sides; what the cache answered and what it should have. */
function act({ cache, model, clock, sizeOf }: Rig, now: Step): [got: unknown, expected: unknown] {
  switch (now.do) {
    case "set": {
      const expected = model.set(now.key, now.value, sizeOf?.(now.value) ?? 0, now.ttlMs);
      return [cache.set(now.key, now.value, now.ttlMs), expected];
    }
    case "get":
      return [cache.get(now.key), model.use(now.key)?.value];
    case "peek":
      return [cache.peek(now.key), model.find(now.key)?.value];
    case "touch":
      return [cache.touch(now.key), model.use(now.key) !== undefined];
    case "renew": {
      const entry = model.renew(now.key);
      if (entry !== undefined) entry.expiresAtMs = model.nowMs + now.ttlMs;
      model.pass(0);
      return [cache.touch(now.key, now.ttlMs), entry !== undefined && now.ttlMs > 0];
    }
    case "delete":
      return [cache.delete(now.key), model.delete(now.key)];
    case "clear":
      cache.clear();
      model.entries = [];
      return [cache.size, 0];
    case "pass":
      clock.advance(now.ms);
      model.pass(now.ms);
      return [0, 0];
    case "jump":
      // Both sides of the jump are seen, so that no other time is lost with it.
      cache.refresh();
      clock.wallMs += now.ms;
      cache.refresh();
      model.pass(Math.max(0, now.ms));
      return [0, 0];
  }
}

function agree({ cache, model, clock }: Rig): void {
  for (const one of KEYS) {
    const entry = model.find(one);
    expectSame(cache.has(one), entry !== undefined);
    expectSame(cache.peek(one), entry?.value);
    // Fractions of a millisecond are lost in times beyond 2^53.
    const expected = entry && Math.round(entry.expiresAtMs - model.nowMs);
    const remaining = cache.remainingTtlMs(one);
    expectSame(remaining && Math.round(remaining), expected);
  }
  expectSame(
    cache.order(),
    model.order.map((one) => one.key),
  );
  expectSame([...cache.keys()].toSorted(), model.entries.map((one) => one.key).toSorted());
  expectSame(cache.oldest, model.order[0]?.key);
  const { size, bytes } = cache;
  const bounds = {
    holdsAll: size >= model.entries.length,
    countsAll: bytes >= model.bytes,
    isBounded: bytes <= MAX_BYTES,
    hasOneTimer: clock.timers <= 1,
  };
  expectSame(bounds, { holdsAll: true, countsAll: true, isBounded: true, hasOneTimer: true });
}

describe("any sequence of calls", () => {
  it.each([
    ["the whole, counting bytes", OpenTlru, sized],
    ["the whole, counting entries", OpenTlru, undefined],
    ["the core, counting bytes", OpenCore, sized],
    ["the core, counting entries", OpenCore, undefined],
    ["by due date, counting bytes", OpenTlru, sized, "due"],
    ["by due date, counting entries", OpenTlru, undefined, "due"],
  ] as const)(
    "leaves in a cache what a list searched from end to end would hold: %s",
    (_, Cache, sizeOf, policy?: "due") => {
      fc.assert(
        fc.property(
          fc.array(step, { maxLength: 60 }),
          fc.integer({ min: 1, max: 6 }),
          (steps, maxEntries) => {
            const clock = new FakeClock();
            const bounds = sizeOf ? { maxEntries, maxBytes: MAX_BYTES, sizeOf } : { maxEntries };
            const rig: Rig = {
              cache: new Cache({ ...bounds, clock, policy }),
              model: new ModelCache(maxEntries, MAX_BYTES, policy === "due"),
              clock,
              sizeOf,
            };
            for (const one of steps) {
              const [got, expected] = act(rig, one);
              expectSame(got, expected);
              agree(rig);
            }
            // Nothing that can expire is left behind, and then no timer.
            clock.advance(1e12);
            rig.model.pass(1e12);
            expect(rig.cache.size).toBe(rig.model.entries.length);
          },
        ),
        { numRuns: policy === "due" ? 300 : 1_000 },
      );
    },
    120_000,
  );
});

describe("a listener", () => {
  it("is told of every value that left exactly once, and of no other", () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 60 }),
        fc.constantFrom("lru" as const, "adaptive" as const, "due" as const),
        (steps, policy) => {
          const clock = new FakeClock();
          const gone: number[] = [];
          const cache = new TlruCache<string, { id: number }>({
            maxEntries: 4,
            policy,
            clock,
            onEvict: (_key, value) => gone.push(value.id),
          });
          let id = 0;
          const kept: number[] = [];
          for (const one of steps) {
            if (one.do === "set") {
              if (cache.set(one.key, { id: ++id }, one.ttlMs)) kept.push(id);
            } else if (one.do === "get") cache.get(one.key);
            else if (one.do === "delete") cache.delete(one.key);
            else if (one.do === "pass") clock.advance(one.ms);
            else if (one.do === "clear") cache.clear();
            expect(cache.size).toBeLessThanOrEqual(4);
          }
          cache.clear();
          expect(gone.toSorted((a, b) => a - b)).toEqual(kept);
          const { removals } = cache.stats();
          expect(Object.values(removals).reduce((sum, one) => sum + one)).toBe(kept.length);
        },
      ),
      { numRuns: 1_000 },
    );
  }, 120_000);
});
