import { Metrics, seededRandom } from "@meridian/runtime";
import { expect, it } from "vitest";

import { Leases } from "../src/service/leases.ts";
import { ManualClock } from "./harness.ts";

it("leases and those who wait for them are bounded in number, and their places are free again", async () => {
  const clock = new ManualClock();
  const metrics = new Metrics();
  const context = { clock, random: seededRandom(1), metrics };
  const leases = new Leases({ ...context, leasesMax: 2, waitersMax: 1 });
  const gauges = (): number[] => metrics.levels().map(({ now }) => now);
  const id = await leases.acquire("a", { ttlMs: 1_000, waitMs: 0 });
  await leases.acquire("b", { ttlMs: 1_000, waitMs: 0 });
  expect(() => leases.acquire("c", { ttlMs: 1_000, waitMs: 0 })).toThrow(/at most 2 leases/);
  const wait = leases.acquire("a", { ttlMs: 1_000, waitMs: 500 });
  expect(() => leases.acquire("b", { ttlMs: 1_000, waitMs: 500 })).toThrow(/at most 1 clients/);
  expect(gauges()).toEqual([2, 1]);
  clock.advance(500);
  expect(await wait).toBeUndefined();
  expect(gauges()).toEqual([2, 0]);
  expect(leases.release("a", id ?? "")).toBe(true);
  clock.advance(500);
  expect(gauges()).toEqual([0, 0]);
});
