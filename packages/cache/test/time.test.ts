import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { TlruCache } from "../src/index.ts";
import { FakeClock } from "./fake-clock.ts";

describe("the clock", () => {
  it("may step back by years: what is held lives no longer than its time, counted from then", () => {
    const clock = new FakeClock();
    const cache = new TlruCache<string, number>({ maxEntries: 5, clock });
    cache.set("a", 1, 100);
    clock.advance(40);
    cache.explain("a");
    clock.wallMs -= 1e11;
    expect(cache.remainingTtlMs("a")).toBe(60);
    clock.advance(1); // seen by nobody
    cache.explain("a");
    clock.advance(60);
    expect(cache.get("a")).toBeUndefined();
    expect(cache.size).toBe(0);
  });

  it("may step ahead: entries age by the step, and later ones live their full time", () => {
    const clock = new FakeClock();
    const cache = new TlruCache<string, number>({ maxEntries: 5, clock });
    cache.set("a", 1, 1e9);
    clock.advance(2);
    clock.wallMs += 1e11;
    expect(cache.get("a")).toBeUndefined();
    cache.set("b", 1, 100);
    clock.advance(99);
    expect(cache.get("b")).toBe(1);
    clock.advance(1);
    expect(cache.get("b")).toBeUndefined();
  });

  it.each([NaN, Infinity, -Infinity])("may show %d for a while", (nonsense) => {
    const clock = new FakeClock();
    const cache = new TlruCache<string, number>({ maxEntries: 5, clock });
    cache.set("a", 1, 100);
    clock.advance(10);
    const before = clock.wallMs;
    clock.wallMs = nonsense;
    cache.explain("a");
    cache.set("b", 1, 100);
    clock.wallMs = before;
    clock.advance(89);
    expect([cache.get("a"), cache.get("b")]).toEqual([1, 1]);
    clock.advance(11);
    expect([cache.get("a"), cache.get("b")]).toEqual([undefined, undefined]);
  });
});

describe("a reading of the clock", () => {
  it("serves for a millisecond at most also after a small step, when the timer is set anew", () => {
    const clock = new FakeClock();
    const cache = new TlruCache<string, number>({ maxEntries: 1, clock });
    cache.set("a", 0);
    clock.wallMs += 1;
    cache.explain("a");
    cache.set("a", 0, 2);
    clock.advance(1);
    expect(cache.has("a")).toBe(true);
    expect(cache.remainingTtlMs("a")).toBe(1);
  });

  it("serves 32 calls at most, even if no timer ever rings", () => {
    let nowMs = 0;
    const clock = { nowMs: () => nowMs, after: () => () => {} };
    const cache = new TlruCache<string, number>({ maxEntries: 5, clock });
    cache.set("a", 1, 100);
    cache.get("a");
    nowMs = 1_000;
    let stale = 0;
    while (cache.get("a") !== undefined) stale++;
    expect(stale).toBeLessThan(32);
  });

  it("takes no timer where a few calls come at once", () => {
    const clock = new FakeClock();
    const cache = new TlruCache<string, number>({ maxEntries: 50, clock });
    cache.set("a", 0, 60_000);
    clock.advance(1_000);
    const isWokenSoon = (): boolean => clock.nextInMs <= 1;
    for (let n = 0; n < 8; n++) cache.get("a");
    expect(isWokenSoon()).toBe(false);
    for (let n = 0; n < 8; n++) cache.get("a");
    expect(isWokenSoon()).toBe(true);
  });

  it("is never read for entries that do not expire", () => {
    let readings = 0;
    const clock = { nowMs: () => readings++, after: () => () => {} };
    const cache = new TlruCache<string, number>({ maxEntries: 5, clock });
    cache.set("a", 1);
    const before = readings;
    for (let n = 0; n < 100; n++) cache.get("a");
    expect(readings).toBe(before);
  });
});

describe("the timer", () => {
  it("is cancelled by close, after which everything else works on", () => {
    const clock = new FakeClock();
    const cache = new TlruCache<string, number>({ maxEntries: 5, ttlMs: 100, clock });
    cache.set("a", 1);
    cache.close();
    cache.close();
    expect(clock.timers).toBe(0);
    cache.set("b", 2);
    clock.advance(100);
    expect([cache.get("a"), cache.get("b"), clock.timers]).toEqual([undefined, undefined, 0]);
  });

  it("does not keep alive a cache that nobody holds", async () => {
    setFlagsFromString("--expose-gc");
    const gc = runInNewContext("gc") as () => void;
    setFlagsFromString("--no-expose-gc");
    const clock = new FakeClock();
    const held = new WeakRef(
      ((): object => {
        const cache = new TlruCache<string, number>({ maxEntries: 5, ttlMs: 1e6, clock });
        cache.set("a", 1);
        return cache;
      })(),
    );
    // A WeakRef holds its target until the end of the turn that made it.
    await new Promise((resolve) => setImmediate(resolve));
    gc();
    expect(clock.timers).toBe(1);
    expect(held.deref()).toBeUndefined();
    clock.advance(1e7);
    expect(clock.timers).toBe(0);
  });
});
