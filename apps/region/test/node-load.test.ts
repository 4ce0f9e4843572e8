import { expect, it } from "vitest";

import { LoadMeter } from "../src/node-load.ts";
import { ManualClock } from "./harness.ts";

const REMOVALS = { evicted: 0, expired: 0, deleted: 0, cleared: 0, replaced: 0, rejected: 0 };

it.each([
  ["writeBytes", 75],
  ["bodyBytes", 95],
  ["httpAnswerBytes", 95],
  ["httpRequests", 95],
  ["httpConnections", 95],
])("a node whose %s are full refuses, and does so for five seconds more", (name, full) => {
  const clock = new ManualClock();
  let now = full - 1;
  const stats = () => ({ entries: 1, bytes: 2, removals: REMOVALS }) as never;
  const gauges = () => [
    { name: "cacheBytes", now: 100, max: 100 },
    { name, now, max: 100 },
  ];
  const meter = new LoadMeter(
    { reads: { count: 0 }, writes: { count: 0 } },
    { stats },
    clock,
    gauges,
  );
  expect(meter.read().refusing).toBeUndefined();
  now = full;
  expect(meter.read().refusing).toBe(true);
  now = 0;
  clock.advance(4_900);
  expect(meter.read().refusing).toBe(true);
  clock.advance(200);
  expect(meter.read().refusing).toBeUndefined();
});
