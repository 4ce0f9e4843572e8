import { describe, expect, it } from "vitest";
import { TlruCache, type Loader } from "../src/index.ts";
import { FakeClock } from "./fake-clock.ts";

interface Call {
  readonly stale: number | undefined;
  readonly signal: AbortSignal;
  readonly settle: (value: number) => void;
  readonly fail: (error: unknown) => void;
}

function rig(staleMs = 0): {
  cache: TlruCache<string, number>;
  clock: FakeClock;
  calls: Call[];
  load: Loader<string, number>;
  errors: unknown[];
} {
  const clock = new FakeClock();
  const errors: unknown[] = [];
  const calls: Call[] = [];
  const cache = new TlruCache<string, number>({
    maxEntries: 5,
    ttlMs: 100,
    staleMs,
    clock,
    onError: (error) => errors.push(error),
  });
  const load: Loader<string, number> = (_key, { signal, stale }) =>
    new Promise((settle, fail) => calls.push({ stale, signal, settle, fail }));
  return { cache, clock, calls, load, errors };
}

/** Lets all promise reactions run that are due. */
const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
};

describe("a loader", () => {
  it("that throws rejects its callers; the failure is not cached", async () => {
    const { cache } = rig();
    const broken = (): number => {
      throw new Error("down");
    };
    await expect(cache.getOrLoad("a", broken)).rejects.toThrow("down");
    expect(await cache.getOrLoad("a", () => 5)).toBe(5);
    expect(cache.stats().loadErrors).toBe(1);
  });

  it("that hangs is given up after its timeout, and its late result is dropped", async () => {
    const { cache, clock, calls, load } = rig();
    const waiting = cache.getOrLoad("a", load, { timeoutMs: 50 });
    clock.advance(49);
    expect(calls[0]?.signal.aborted).toBe(false);
    clock.advance(1);
    await expect(waiting).rejects.toMatchObject({ code: "LOAD_TIMEOUT", retryable: true });
    expect(calls[0]?.signal.aborted).toBe(true);
    calls[0]?.settle(1);
    await settled();
    expect(cache.has("a")).toBe(false);
    expect(clock.timers).toBe(0);
  });

  it("is aborted when the last caller has left, and only then", async () => {
    const { cache, calls, load } = rig();
    const [one, two] = [new AbortController(), new AbortController()];
    const first = cache.getOrLoad("a", load, { signal: one.signal });
    const second = cache.getOrLoad("a", load, { signal: two.signal });
    expect(calls).toHaveLength(1);
    one.abort(new Error("left"));
    await expect(first).rejects.toThrow("left");
    expect(calls[0]?.signal.aborted).toBe(false);
    two.abort(new Error("left too"));
    await expect(second).rejects.toThrow("left too");
    expect(calls[0]?.signal.aborted).toBe(true);
    // Who asks now does not inherit the abort.
    const third = cache.getOrLoad("a", load);
    calls[1]?.settle(7);
    expect(await third).toBe(7);
  });

  it("is not called for a caller who has left before", async () => {
    const { cache, calls, load } = rig();
    const signal = AbortSignal.abort(new Error("gone"));
    await expect(cache.getOrLoad("a", load, { signal })).rejects.toThrow("gone");
    expect(calls).toHaveLength(0);
  });

  it.each(["delete", "clear", "set"] as const)(
    "does not bring back what %s has overtaken",
    async (call) => {
      const { cache, calls, load } = rig();
      const waiting = cache.getOrLoad("a", load);
      if (call === "delete") cache.delete("a");
      else if (call === "clear") cache.clear();
      else cache.set("a", 9, 0);
      calls[0]?.settle(1);
      expect(await waiting).toBe(1);
      expect(cache.has("a")).toBe(false);
    },
  );

  it("whose time to live is no number rejects its callers with BAD_TTL", async () => {
    const { cache } = rig();
    const waiting = cache.getOrLoad("a", () => 1, { ttlMs: NaN });
    await expect(waiting).rejects.toMatchObject({ code: "BAD_TTL" });
    await expect(cache.getOrLoad("b", () => 1, { timeoutMs: NaN })).rejects.toMatchObject({
      code: "BAD_OPTION",
    });
  });
});

describe("stale while revalidate", () => {
  it("serves what is past its time to getOrLoad alone, while one load replaces it", async () => {
    const { cache, clock, calls, load } = rig(1_000);
    cache.set("a", 1);
    clock.advance(150);
    expect([cache.get("a"), cache.has("a"), cache.peek("a")]).toEqual([
      undefined,
      false,
      undefined,
    ]);
    expect(cache.explain("a")).toMatchObject({ state: "stale", remainingMs: -50 });
    expect(await cache.getOrLoad("a", load)).toBe(1);
    expect(await cache.getOrLoad("a", load)).toBe(1);
    expect(calls).toMatchObject([{ stale: 1 }]);
    calls[0]?.settle(2);
    await settled();
    expect(cache.get("a")).toBe(2);
    expect(cache.stats().staleHits).toBe(2);
  });

  it("goes on serving it when the load fails, reports the failure, and frees it at the end", async () => {
    const { cache, clock, calls, load, errors } = rig(1_000);
    cache.set("a", 1);
    clock.advance(150);
    await cache.getOrLoad("a", load);
    calls[0]?.fail("down");
    await settled();
    expect(errors).toEqual(["down"]);
    expect(await cache.getOrLoad("a", load)).toBe(1);
    clock.advance(950);
    expect(cache.size).toBe(0);
  });

  it("lets what is stale leave first when room is needed", () => {
    const { cache, clock } = rig(1_000);
    cache.set("old", 1);
    clock.advance(150);
    for (const key of ["a", "b", "c", "d"]) cache.set(key, 1);
    cache.touch("old");
    cache.set("e", 1);
    expect(cache.explain("old")).toMatchObject({ state: "absent", reason: "expired" });
    expect(["a", "b", "c", "d", "e"].every((key) => cache.has(key))).toBe(true);
  });
});

describe("loads of one signal", () => {
  it("take one listener of a signal that a hundred share, and all of them leave with it", async () => {
    const shared = new AbortController();
    let listeners = 0;
    const { signal } = shared;
    const listen = signal.addEventListener.bind(signal);
    Object.assign(signal, {
      addEventListener: (...args: Parameters<typeof listen>) => {
        listeners++;
        listen(...args);
      },
    });
    const cache = new TlruCache<string, number>({ maxEntries: 200 });
    const waits = Array.from({ length: 100 }, (_, n) =>
      cache.getOrLoad(`k${n}`, () => new Promise<number>(() => {}), { signal }),
    );
    expect(listeners).toBe(1);
    shared.abort(new Error("enough"));
    for (const wait of waits) await expect(wait).rejects.toThrow("enough");
    await expect(cache.getOrLoad("k0", () => 1)).resolves.toBe(1);
  });
});
