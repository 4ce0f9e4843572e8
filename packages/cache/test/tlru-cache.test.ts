import { describe, expect, it } from "vitest";
import { TlruCache, type RemovalReason } from "../src/index.ts";
import { FakeClock } from "./fake-clock.ts";

function small(clock = new FakeClock()): {
  cache: TlruCache<string, number>;
  clock: FakeClock;
  gone: [string, number, RemovalReason][];
} {
  const gone: [string, number, RemovalReason][] = [];
  const cache = new TlruCache<string, number>({
    maxEntries: 3,
    clock,
    onEvict: (key, value, reason) => gone.push([key, value, reason]),
  });
  return { cache, clock, gone };
}

describe("order of leaving", () => {
  it("evicts the least recently used entry", () => {
    const { cache, gone } = small();
    cache.set("a", 1);
    cache.set("b", 2);
    cache.set("c", 3);
    cache.get("a");
    expect(cache.oldest).toBe("b");
    cache.set("d", 4);
    expect(gone).toEqual([["b", 2, "evicted"]]);
    expect([...cache.keys()].toSorted()).toEqual(["a", "c", "d"]);
  });

  it("lets an expired entry leave before any live one, however recently it was used", () => {
    const { cache, clock, gone } = small();
    cache.set("a", 1);
    cache.set("b", 2);
    cache.set("c", 3, 10);
    cache.close(); // no timer: the eviction has to find it by itself
    clock.advance(10);
    cache.set("d", 4);
    expect(gone).toEqual([["c", 3, "expired"]]);
  });

  it("has peek, has and remainingTtlMs leave the order alone, and touch mark", () => {
    const { cache } = small();
    cache.set("a", 1);
    cache.set("b", 2);
    cache.peek("a");
    cache.has("a");
    cache.remainingTtlMs("a");
    expect(cache.oldest).toBe("a");
    expect(cache.touch("a")).toBe(true);
    expect(cache.oldest).toBe("b");
    expect(cache.touch("x")).toBe(false);
  });

  it("keeps the sum of sizes within the byte bound, also when an entry grows", () => {
    const cache = new TlruCache<string, number>({ maxBytes: 10, sizeOf: (value) => value });
    cache.set("a", 4);
    cache.set("b", 4);
    cache.set("c", 2);
    expect(cache.bytes).toBe(10);
    cache.set("b", 6);
    expect([...cache.keys()].toSorted()).toEqual(["b", "c"]);
    expect(cache.bytes).toBe(8);
    expect(cache.set("d", 11)).toBe(false);
    expect(cache.explain("d")).toMatchObject({ state: "absent", reason: "rejected" });
    cache.close();
  });
});

describe("time", () => {
  it("an entry is gone at the instant its time is over", () => {
    const { cache, clock } = small();
    cache.set("a", 1, 100);
    clock.advance(99);
    expect(cache.get("a")).toBe(1);
    expect(cache.remainingTtlMs("a")).toBe(1);
    clock.advance(1);
    expect(cache.get("a")).toBeUndefined();
    expect(cache.remainingTtlMs("a")).toBeUndefined();
  });

  it("frees what has expired without being called, and then sets no timer", () => {
    const { cache, clock, gone } = small();
    cache.set("a", 1, 100);
    cache.set("b", 2, 300);
    clock.advance(100);
    expect(cache.size).toBe(1);
    clock.advance(300);
    expect(gone).toEqual([
      ["a", 1, "expired"],
      ["b", 2, "expired"],
    ]);
    expect(clock.timers).toBe(0);
  });

  it("turns the publisher's time to live into this cache's time to use", () => {
    const clock = new FakeClock();
    const cache = new TlruCache<string, string>({
      maxEntries: 9,
      ttlMs: 400,
      ttu: (ttlMs, key, value) => (key === value ? 7 : ttlMs / 2),
      clock,
    });
    cache.set("a", "b");
    cache.set("b", "b");
    cache.set("c", "d", 50);
    const left = ["a", "b", "c"].map((key) => cache.remainingTtlMs(key));
    expect(left).toEqual([200, 7, 25]);
  });

  it("never has more than one timer", () => {
    const { cache, clock } = small();
    for (let i = 0; i < 100; i++) {
      cache.set(`${i}`, i, 1_000 - i * 5);
      cache.get(`${i % 7}`);
      expect(clock.timers).toBeLessThanOrEqual(1);
      clock.advance(3);
    }
  });
});

describe("loading", () => {
  it("loads a key once for all who ask for it", async () => {
    const { cache } = small();
    let loads = 0;
    const load = (key: string): Promise<number> => Promise.resolve(key.length + loads++);
    const both = await Promise.all([cache.getOrLoad("ab", load), cache.getOrLoad("ab", load)]);
    expect(both).toEqual([2, 2]);
    expect(await cache.getOrLoad("ab", load)).toBe(2);
    expect(loads).toBe(1);
  });

  it("takes the time to live from the loader", async () => {
    const { cache } = small();
    await cache.getOrLoad("a", (_key, context) => {
      context.ttlMs = 70;
      return 1;
    });
    expect(cache.remainingTtlMs("a")).toBe(70);
  });

  it("does not keep a loaded value over one that was set meanwhile", async () => {
    const { cache } = small();
    let settle: (value: number) => void = () => {};
    const loaded = cache.getOrLoad("a", () => new Promise<number>((resolve) => (settle = resolve)));
    cache.set("a", 2);
    settle(1);
    expect(await loaded).toBe(1);
    expect(cache.get("a")).toBe(2);
  });
});

describe("reports", () => {
  it("counts hits, misses and removals by reason", () => {
    const { cache, clock } = small();
    for (const key of ["a", "b", "c", "d"]) cache.set(key, 1, 50);
    cache.set("d", 2, 50);
    cache.delete("c");
    cache.get("d");
    cache.get("zz");
    clock.advance(50);
    cache.set("e", 5);
    cache.clear();
    expect(cache.stats()).toMatchObject({
      hits: 1,
      misses: 1,
      removals: { expired: 2, evicted: 1, replaced: 1, deleted: 1, cleared: 1 },
    });
  });

  it("restores a snapshot with its order and remaining times", () => {
    const { cache, clock } = small();
    cache.set("a", 1, 100);
    cache.set("b", 2);
    cache.set("c", 3, 5);
    cache.get("a");
    clock.advance(10);
    const snapshot = cache.snapshot();
    expect(snapshot.entries).toEqual([
      ["b", 2, null],
      ["a", 1, 90],
    ]);
    const other = small().cache;
    other.set("x", 9);
    expect(other.restore(snapshot, 40)).toBe(2);
    expect(other.snapshot().entries).toEqual([
      ["b", 2, null],
      ["a", 1, 50],
    ]);
  });
});
