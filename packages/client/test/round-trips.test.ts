import { seededRandom } from "@meridian/runtime";
import { expect, onTestFinished, test } from "vitest";

import { connect, type Fetch, type MeridianClient } from "../src/index.ts";
import { isFaster, RoundTrips } from "../src/round-trips.ts";
import { FakeClock } from "./fake-clock.ts";
import { fetchOf, World } from "./world.ts";

const of = (...ms: readonly number[]): RoundTrips => {
  const trips = new RoundTrips();
  for (const each of ms) trips.measured(each);
  return trips;
};

test("the mean follows what is measured, and one outlier does not make it", () => {
  expect(of().meanMs).toBeUndefined();
  expect(of(100).meanMs).toBe(100);
  expect(of(100, 100, 500).meanMs).toBeCloseTo(220);
  expect(
    of(...Array.from({ length: 20 }, () => 10), 100, 100, 100, 100, 100, 100, 100, 100).meanMs,
  ).toBeGreaterThan(90);
});

test.each([
  [10, 100, false, true],
  [69, 100, false, true],
  [71, 100, false, false],
  [1, 20, false, false],
  [89, 100, true, true],
  [91, 100, true, false],
])("%i ms beside %i ms, in use %s: %s", (otherMs, nearestMs, has, expected) => {
  expect(isFaster(of(otherMs), of(nearestMs), has)).toBe(expected);
});

test("what has not been measured is not faster", () => {
  expect(isFaster(of(), of(100), false)).toBe(false);
  expect(isFaster(of(1), of(), false)).toBe(false);
});

/** A world whose nodes are as far as `delays` says, under time that passes with each request. */
async function open(delays: Record<string, number>): Promise<{
  client: MeridianClient;
  world: World;
  clock: FakeClock;
  refresh: () => Promise<void>;
}> {
  const world = new World();
  for (const id of Object.keys(delays)) world.addNode(id);
  const clock = new FakeClock();
  const plain = fetchOf(world);
  const fetch: Fetch = async (url, init) => {
    const id = new URL(url).hostname.split(".")[0] ?? "";
    const ms = url.endsWith("/healthz") ? (delays[id] ?? 0) : 0;
    if (ms > 0) await new Promise<void>((resolve) => void clock.after(ms, resolve));
    return plain(url, init);
  };
  const client = await connect({
    directory: "http://directory.test",
    location: { lat: 0, lon: 0 },
    fetch,
    clock,
    attemptMs: 10_000,
    random: seededRandom(1),
  });
  onTestFinished(() => client.close());
  const refresh = async (): Promise<void> => {
    clock.advance(30_000);
    for (let turn = 0; turn < 150; turn += 1) {
      await new Promise(setImmediate);
      clock.advance(5);
    }
  };
  return { client, world, clock, refresh };
}

test("the node that answers fastest is used, although another is nearer on the map", async () => {
  const delays = { paris: 0, madrid: 0, oslo: 0 };
  const { client, refresh } = await open(delays);
  const used = async (): Promise<string | undefined> => {
    await client.get("k");
    return client.status().node;
  };
  expect(await used()).toBe("paris");
  await refresh();
  expect(await used()).toBe("paris");
  Object.assign(delays, { paris: 200, madrid: 150, oslo: 5 });
  for (let round = 0; round < 6; round += 1) await refresh();
  expect(await used()).toBe("oslo");
  expect(client.nodes.map(({ id }) => id)).toEqual(["oslo", "paris", "madrid"]);
  Object.assign(delays, { paris: 5, madrid: 5, oslo: 100 });
  for (let round = 0; round < 10; round += 1) await refresh();
  expect(await used()).toBe("paris");
});

test("where the faster node stops, the nearest serves", async () => {
  const delays = { paris: 100, oslo: 5 };
  const { client, world, refresh } = await open(delays);
  for (let round = 0; round < 3; round += 1) await refresh();
  expect(client.status().node).toBe("oslo");
  const oslo = world.nodes[1];
  if (oslo !== undefined) oslo.mood = "draining";
  await client.set("k", 1);
  expect(client.status().node).toBe("paris");
});
