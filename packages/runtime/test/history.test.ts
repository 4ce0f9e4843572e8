import { fillOf, History, levelOf, Metrics, rateOf, type Clock } from "@meridian/runtime";
import { expect, it } from "vitest";

import { ManualClock } from "./manual-clock.ts";

function kept(pointsMax = 5) {
  const clock = new ManualClock();
  const metrics = new Metrics();
  const reads = metrics.counter("reads_total", "Reads.", { from: "memory" });
  const others = metrics.counter("reads_total", "Reads.", { from: "store" });
  const times = metrics.histogram("request_seconds", "Times.", [1]);
  let free: number | undefined = 7;
  metrics.gauge("free_bytes", "Room.", () => {
    if (free === undefined) throw new Error("The disk is gone");
    return free;
  });
  metrics.level(() => [{ name: "queue", now: 3, max: 4 }]);
  const lines = [
    rateOf("memoryReadsPerSecond", "reads_total", { from: "memory" }),
    rateOf("readsPerSecond", "reads_total"),
    rateOf("requestsPerSecond", "request_seconds"),
    levelOf("freeKilobytes", "free_bytes", {}, 0.001),
    fillOf("queue"),
    levelOf("unknown", "nothing_bytes"),
  ];
  const history = new History({ lines, metrics, clock, everyMs: 1_000, pointsMax });
  const set = (bytes: number | undefined): void => void (free = bytes);
  return { clock, history, reads, others, times, set };
}

it("keeps levels as they are and counters as what they grow by a second", () => {
  const { clock, history, reads, others, times, set } = kept();
  history.start();
  reads.add(10);
  others.add(5);
  times.observe(0.5);
  times.observe(2);
  clock.advance(1_000);
  set(undefined);
  clock.advance(1_000);
  expect(history.points().map(({ values }) => values)).toEqual([
    [NaN, NaN, NaN, 0.007, 3, NaN],
    [10, 15, 2, 0.007, 3, NaN],
    [0, 0, 0, NaN, 3, NaN],
  ]);
});

it("keeps the last points and no more, each a second after the one before, and stops", () => {
  const { clock, history, reads } = kept(5);
  const told: number[] = [];
  history.start(({ values }) => told.push(values[0] ?? NaN));
  for (let second = 1; second <= 12; second += 1) {
    reads.add(second);
    clock.advance(1_000);
  }
  const points = history.points();
  expect(points.map(({ values }) => values[0])).toEqual([8, 9, 10, 11, 12]);
  const first = points[0]?.atMs ?? NaN;
  expect(points.map(({ atMs }) => atMs - first)).toEqual([0, 1_000, 2_000, 3_000, 4_000]);
  expect(told).toHaveLength(12);
  history.stop();
  expect(clock.timers).toBe(0);
});

it("tells times by the clock as it is now", () => {
  const manual = new ManualClock();
  let setByMs = 0;
  const clock: Clock = {
    nowMs: () => manual.nowMs() + setByMs,
    elapsedMs: () => manual.elapsedMs(),
    after: (delayMs, callback) => manual.after(delayMs, callback),
  };
  const history = new History({ lines: [], metrics: new Metrics(), clock, everyMs: 1_000 });
  history.start();
  manual.advance(1_000);
  setByMs = -3_600_000;
  manual.advance(1_000);
  const nowMs = clock.nowMs();
  expect(history.points().map(({ atMs }) => nowMs - atMs)).toEqual([2_000, 1_000, 0]);
});

it("counts anew where a counter has gone back", () => {
  const clock = new ManualClock();
  let count = 100;
  const metrics = new Metrics();
  metrics.counted("head_total", "Entries.", () => count);
  const lines = [rateOf("headPerSecond", "head_total")];
  const history = new History({ lines, metrics, clock, everyMs: 1_000 });
  history.start();
  count = 4;
  clock.advance(1_000);
  expect(history.points()[1]?.values).toEqual([4]);
});
