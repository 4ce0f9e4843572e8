import { seededRandom } from "@meridian/runtime";
import fc from "fast-check";
import { describe, expect, onTestFinished, test } from "vitest";

import { connect, type MeridianClient } from "../src/index.ts";
import { NodeTime } from "../src/node-time.ts";
import { TestClock, TestCluster } from "../src/testing/index.ts";
import { failure } from "./scene.ts";

async function open(nodes: number): Promise<{
  readonly cluster: TestCluster;
  readonly cache: MeridianClient;
  readonly first: TestCluster["nodes"][number];
}> {
  const cluster = new TestCluster({ nodes });
  onTestFinished(() => cluster.close());
  const [first] = cluster.nodes;
  if (first === undefined) throw new Error("unreachable");
  return { cluster, cache: await cluster.connect(), first };
}

describe("a node that was frozen", () => {
  test("does not make the write that the client has sent elsewhere meanwhile", async () => {
    const { cluster, cache, first } = await open(2);
    await cache.set("k", "before");
    first.mood = "frozen";
    const moved = cache.set("k", "first");
    await cluster.clock.advance("2s");
    await moved;
    await cache.set("k", "second");
    first.mood = "ready";
    await cluster.clock.advance(0);
    expect(await cache.get("k")).toBe("second");
  });

  const LATE = { deadlineMs: 500 };
  test.each<[string, (cache: MeridianClient) => Promise<unknown>]>([
    ["set", (cache) => cache.set("k", "late", LATE)],
    ["set with a condition", (cache) => cache.set("new", "late", { ...LATE, ifAbsent: true })],
    ["setMany", (cache) => cache.setMany([{ key: "new", value: "late" }], LATE)],
    ["delete", (cache) => cache.delete("k", LATE)],
    ["deleteMany", (cache) => cache.deleteMany(["k"], LATE)],
    ["touch", (cache) => cache.touch("k", { ...LATE, ttl: "1s" })],
    ["expireAt", (cache) => cache.expireAt("k", Date.UTC(2040, 0), LATE)],
  ])("does not make a %s that the client has given up", async (_, write) => {
    const { cluster, cache, first } = await open(1);
    const other = await cluster.connect();
    await cache.set("k", "before");
    const etag = (await other.getRaw("k"))?.etag;
    first.mood = "frozen";
    const lost = write(cache).catch(() => {});
    await cluster.clock.advance("20s");
    await lost;
    first.mood = "ready";
    await cluster.clock.advance(0);
    expect((await other.getRaw("k"))?.etag).toBe(etag);
    expect(await other.has("new")).toBe(false);
  });
});

describe("a node's clock", () => {
  const HOUR_MS = 3_600_000;
  test.each([
    ["an hour ahead", HOUR_MS],
    ["an hour behind", -HOUR_MS],
    ["a day behind", -24 * HOUR_MS],
  ])("that is %s costs the first write one more try", async (_, aheadMs) => {
    const { cache, first } = await open(1);
    first.clockAheadMs = aheadMs;
    await cache.set("k", 1);
    const before = first.requests;
    await cache.set("k", 2);
    expect(first.requests).toBe(before + 1);
    expect(before).toBeLessThanOrEqual(2);
  });

  test.each([
    ["forward", 2 * HOUR_MS],
    ["back", -2 * HOUR_MS],
  ])("that is set %s while a write is on its way refuses no write for good", async (_, byMs) => {
    const { cluster, cache, first } = await open(1);
    await cache.set("k", 0);
    first.mood = "frozen";
    const written = cache.set("k", 1);
    await cluster.clock.advance(100);
    first.clockAheadMs += byMs;
    first.mood = "ready";
    await cluster.clock.advance(0);
    await written;
    expect(await cache.get("k")).toBe(1);
    const before = first.requests;
    await cache.set("k", 2);
    expect(first.requests).toBe(before + 1);
  });

  test("that is set back by less than a deadline is followed with the next answer", async () => {
    const { cluster, cache, first } = await open(1);
    await cache.set("k", 0);
    first.clockAheadMs = -5_000;
    await cache.set("k", 1);
    first.mood = "frozen";
    const lost = failure(cache.set("k", 2, { deadlineMs: 500 }));
    await cluster.clock.advance(500);
    await lost;
    first.mood = "ready";
    await cluster.clock.advance(0);
    expect(await cache.get("k")).toBe(1);
  });
});

test("a node that refuses each write for its deadline is left for the next one", async () => {
  const { cache, first } = await open(2);
  first.failNext("DEADLINE_PASSED", 5);
  await cache.set("k", 1);
  expect(await cache.get("k")).toBe(1);
});

const WRITTEN = {
  key: "k",
  etag: '"e"',
  expiresAtMs: null,
  acknowledged: {
    level: "local",
    reached: true,
    local: true,
    directory: true,
    nodes: [],
    ready: [],
  },
};

test("a write that its nodes come to too late has more time with each attempt", async () => {
  const clock = new TestClock();
  const [asked, budgets]: [string[], number[]] = [[], []];
  const cache = await connect({
    nodes: ["http://a", "http://b"],
    clock,
    random: seededRandom(1),
    fetch: async (url, init) => {
      const { origin } = new URL(url);
      const headers = new Headers(init.headers);
      const deadlineMs = Number(headers.get("meridian-deadline"));
      const nowMs = clock.nowMs();
      asked.push(origin);
      budgets.push(deadlineMs - nowMs);
      const own = { "meridian-node": origin, "meridian-time": String(nowMs) };
      if (asked.length > 4) return Response.json(WRITTEN, { headers: own });
      const problem = { code: "DEADLINE_PASSED", deadlineMs, nowMs, status: 409 };
      return Response.json(problem, { status: 409, headers: own });
    },
  });
  onTestFinished(() => cache.close());
  const written = cache.set("k", 1);
  await clock.advance(100);
  await written;
  // Each node is asked twice at once, because it has told its time.
  expect(asked).toEqual(["http://a", "http://a", "http://b", "http://b", "http://a"]);
  expect(budgets).toEqual([1_000, 1_000, 2_000, 2_000, 3_000]);
});

test("the time of a node is never reckoned to be later than it is, but for a clock that was set back, by what a request takes", () => {
  const exchange = fc.record({
    pauseMs: fc.nat(100_000),
    thereMs: fc.nat(2_000),
    backMs: fc.nat(2_000),
    // Most of the time, nobody sets the clock.
    setByMs: fc.oneof(
      { weight: 4, arbitrary: fc.constant(0) },
      fc.integer({ min: -90_000, max: 90_000 }),
    ),
  });
  fc.assert(
    fc.property(
      fc.array(exchange),
      fc.integer({ min: -9_000_000, max: 9_000_000 }),
      (all, ahead) => {
        const time = new NodeTime();
        let [elapsedMs, aheadMs, wasSetBack] = [0, ahead, false];
        for (const { pauseMs, thereMs, backMs, setByMs } of all) {
          aheadMs += setByMs;
          wasSetBack ||= setByMs < 0;
          const sentAtMs = elapsedMs + pauseMs;
          elapsedMs = sentAtMs + thereMs + backMs;
          time.heard(sentAtMs + thereMs + aheadMs, sentAtMs, elapsedMs);
          const reckonedMs = time.at(elapsedMs) ?? NaN;
          // An answer does not show that a clock was set back by less than its request took.
          expect(reckonedMs).toBeLessThanOrEqual(elapsedMs + aheadMs + (wasSetBack ? thereMs : 0));
          expect(reckonedMs).toBeGreaterThanOrEqual(elapsedMs + aheadMs - backMs);
        }
      },
    ),
  );
});
