import { describe, expect, it } from "vitest";
import { CacheError, TlruCache, type TlruOptions } from "../src/index.ts";
import { FakeClock } from "./fake-clock.ts";

const codeOf = (call: () => unknown): string => {
  try {
    call();
  } catch (error) {
    return error instanceof CacheError ? error.code : String(error);
  }
  return "nothing thrown";
};

describe("options", () => {
  const bad: [string, unknown][] = [
    ["no bound", {}],
    ["an infinite number of entries", { maxEntries: Infinity }],
    ["no entries", { maxEntries: 0 }],
    ["half an entry", { maxEntries: 1.5 }],
    ["NaN entries", { maxEntries: NaN }],
    ["a number as text", { maxEntries: "5" }],
    ["bytes that cannot be counted", { maxBytes: 100 }],
    ["negative bytes", { maxBytes: -1, sizeOf: () => 1 }],
    ["NaN as time to live", { maxEntries: 1, ttlMs: NaN }],
    ["an unknown policy", { maxEntries: 1, policy: "fifo" }],
    ["negative stale time", { maxEntries: 1, staleMs: -1 }],
  ];
  it.each(bad)("throws BAD_OPTION for %s", (_, options) => {
    expect(codeOf(() => new TlruCache(options as TlruOptions<string, string>))).toBe("BAD_OPTION");
  });

  it("does not type-check without a bound", () => {
    // @ts-expect-error -- a bound is missing
    expect(() => new TlruCache<string, string>({ ttlMs: 5 })).toThrow("maxEntries");
  });
});

describe("times to live", () => {
  const rig = (): TlruCache<string, number> =>
    new TlruCache({ maxEntries: 5, clock: new FakeClock() });

  it.each([0, -1, -Infinity, -0])(
    "%d is over at once: nothing is kept, and the old value leaves",
    (ttlMs) => {
      const cache = rig();
      cache.set("a", 1);
      expect(cache.set("a", 2, ttlMs)).toBe(false);
      expect(cache.get("a")).toBeUndefined();
      expect(cache.size).toBe(0);
      expect(cache.explain("a")).toMatchObject({ state: "absent", reason: "rejected" });
    },
  );

  it.each([Infinity, 2 ** 53, 2 ** 60, Number.MAX_VALUE])(
    "%d does not expire in practice",
    (ttlMs) => {
      const clock = new FakeClock();
      const cache = new TlruCache<string, number>({ maxEntries: 5, clock });
      cache.set("a", 1, ttlMs);
      clock.advance(1e14);
      expect(cache.get("a")).toBe(1);
    },
  );

  it.each([NaN, "5", null, {}])("%s throws BAD_TTL and changes nothing", (ttlMs) => {
    const cache = rig();
    cache.set("a", 1);
    expect(codeOf(() => cache.set("a", 2, ttlMs as number))).toBe("BAD_TTL");
    expect(codeOf(() => cache.touch("a", ttlMs as number))).toBe("BAD_TTL");
    expect(cache.get("a")).toBe(1);
  });

  it("beyond the range of timers they are kept by several timers in turn", () => {
    const clock = new FakeClock();
    const cache = new TlruCache<string, number>({ maxEntries: 5, clock });
    const yearMs = 365 * 86_400_000;
    cache.set("a", 1, yearMs);
    expect(clock.nextInMs).toBeLessThan(2 ** 31);
    clock.advance(yearMs - 1);
    expect(cache.has("a")).toBe(true);
    clock.advance(1);
    expect(cache.size).toBe(0);
  });
});

describe("keys and values", () => {
  it("tells keys apart as a Map does", () => {
    const keys: unknown[] = [
      1,
      "1",
      true,
      "true",
      null,
      "null",
      undefined,
      NaN,
      "NaN",
      1n,
      "__proto__",
    ];
    keys.push("constructor", Symbol.iterator, keys, {}, {}, "", "\ud800", "é", "e\u0301");
    const cache = new TlruCache<unknown, number>({ maxEntries: 99 });
    expect(cache.has("constructor")).toBe(false);
    keys.forEach((key, at) => cache.set(key, at));
    expect(keys.map((key) => cache.get(key))).toEqual(keys.map((_, at) => at));
    cache.set(-0, 77);
    expect(cache.get(0)).toBe(77);
    expect(cache.size).toBe(keys.length + 1);
  });

  it("keeps undefined as a value, which `has` and `explain` tell from nothing", () => {
    const cache = new TlruCache<string, undefined>({ maxEntries: 5 });
    expect(cache.set("a", undefined)).toBe(true);
    expect(cache.get("a")).toBeUndefined();
    expect([cache.has("a"), cache.has("b")]).toEqual([true, false]);
    expect(cache.stats().hits).toBe(1);
  });

  it.each([NaN, -1, Infinity, "9", undefined])(
    "a size of %s throws BAD_SIZE and changes nothing",
    (size) => {
      const sizes = [3, size];
      const cache = new TlruCache<string, number>({
        maxBytes: 9,
        sizeOf: () => sizes.shift() as number,
      });
      cache.set("a", 1);
      expect(codeOf(() => cache.set("a", 2))).toBe("BAD_SIZE");
      expect([cache.get("a"), cache.bytes]).toEqual([1, 3]);
    },
  );

  it("does not keep a value that alone exceeds the bound, nor what it was to replace, and nothing else leaves", () => {
    const cache = new TlruCache<string, number>({ maxBytes: 9, sizeOf: (value) => value });
    cache.set("a", 4);
    cache.set("b", 4);
    expect(cache.set("b", 10)).toBe(false);
    expect(cache.set("c", 2 ** 40)).toBe(false);
    expect([cache.get("a"), cache.get("b"), cache.get("c"), cache.bytes]).toEqual([
      4,
      undefined,
      undefined,
      4,
    ]);
  });

  it("counts fractions of a byte as one, and entries of no size", () => {
    const cache = new TlruCache<string, number>({ maxBytes: 3, sizeOf: (value) => value });
    for (const key of ["a", "b", "c", "d"]) cache.set(key, 0);
    cache.set("e", 2.5);
    expect([cache.size, cache.bytes]).toEqual([5, 3]);
  });
});

describe("listeners", () => {
  it("that throw harm neither the call nor the others, and are counted and reported", () => {
    const errors: unknown[] = [];
    const cache = new TlruCache<string, number>({
      maxEntries: 2,
      onEvict: () => {
        throw new Error("listener");
      },
      onError: (error, key) => errors.push([(error as Error).message, key]),
    });
    for (const key of ["a", "b", "c", "d"]) expect(cache.set(key, 1)).toBe(true);
    expect([...cache.keys()].toSorted()).toEqual(["c", "d"]);
    expect(cache.stats().listenerErrors).toBe(2);
    expect(errors).toEqual([
      ["listener", "a"],
      ["listener", "b"],
    ]);
  });

  it("may call anything in the cache", () => {
    const cache: TlruCache<string, number> = new TlruCache<string, number>({
      maxEntries: 3,
      onEvict: (key, value, reason) => {
        if (reason === "evicted") cache.set("again", value, 50);
        if (reason === "replaced") cache.delete("x");
        if (key === "clear") cache.clear();
      },
    });
    for (let at = 0; at < 60; at++) {
      cache.set(at % 50 === 49 ? "clear" : `k${at % 7}`, at);
      expect(cache.size).toBeLessThanOrEqual(3);
      expect([...cache.keys()]).toHaveLength(cache.size);
    }
    cache.close();
  });

  it("that always put back what was evicted do not hang the call", () => {
    const clock = new FakeClock();
    let told = 0;
    const cache: TlruCache<string, number> = new TlruCache<string, number>({
      maxEntries: 2,
      clock,
      onEvict: (key, value, reason) => {
        told++;
        if (reason === "evicted") cache.set(key, value);
      },
    });
    for (const key of ["a", "b", "c"]) cache.set(key, 1);
    const first = told;
    expect(first).toBeLessThan(5_000);
    clock.advance(2);
    expect(told).toBeGreaterThan(first);
    expect(cache.size).toBe(2);
  });
});

describe("iteration", () => {
  it("visits what stays exactly once while entries come, go and are used", () => {
    const cache = new TlruCache<number, number>({ maxEntries: 1_000 });
    for (let key = 0; key < 600; key++) cache.set(key, key);
    const seen = new Map<number, number>();
    for (const [key] of cache) {
      seen.set(key, (seen.get(key) ?? 0) + 1);
      cache.get(key);
      cache.set(key, -key);
      if (key % 2 === 0 && key + 10 < 600) cache.delete(key + 10);
      if (seen.size < 300) cache.set(10_000 + seen.size, 0);
    }
    for (let key = 1; key < 600; key += 2) expect(seen.get(key)).toBe(1);
    expect(Math.max(...seen.values())).toBe(1);
  });

  it("survives a clear in its middle", () => {
    const cache = new TlruCache<number, number>({ maxEntries: 10 });
    for (let key = 0; key < 10; key++) cache.set(key, key);
    let visited = 0;
    for (const _ of cache.keys()) if (++visited === 3) cache.clear();
    expect(visited).toBe(3);
  });
});

describe("snapshots", () => {
  it.each([
    null,
    5,
    {},
    { version: 2, entries: [] },
    { version: 1, entries: [["a", 1]] },
    { version: 1, entries: [["a", 1, NaN]] },
  ])("%j is refused with BAD_SNAPSHOT, and nothing changes", (snapshot) => {
    const cache = new TlruCache<string, number>({ maxEntries: 5 });
    cache.set("a", 1);
    expect(codeOf(() => cache.restore(snapshot as never))).toBe("BAD_SNAPSHOT");
    expect(cache.get("a")).toBe(1);
  });

  it.each([NaN, -1, -Infinity, "5"])(
    "are not restored as of %j milliseconds ago, and nothing changes",
    (elapsedMs) => {
      const cache = new TlruCache<string, number>({ maxEntries: 5 });
      cache.set("a", 1);
      const snapshot = cache.snapshot();
      cache.set("b", 2);
      expect(codeOf(() => cache.restore(snapshot, elapsedMs as number))).toBe("BAD_TTL");
      expect(cache.get("b")).toBe(2);
    },
  );

  it("survive JSON, and what is too much for the bound is cut at the least recently used end", () => {
    const cache = new TlruCache<string, number>({ maxEntries: 5 });
    for (const key of ["a", "b", "c", "d"]) cache.set(key, 1);
    cache.get("a");
    const copy = JSON.parse(JSON.stringify(cache.snapshot())) as ReturnType<typeof cache.snapshot>;
    const smaller = new TlruCache<string, number>({ maxEntries: 2 });
    expect(smaller.restore(copy)).toBe(2);
    expect(smaller.snapshot().entries.map(([key]) => key)).toEqual(["d", "a"]);
  });
});
