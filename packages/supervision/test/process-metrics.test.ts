import { Metrics } from "@meridian/runtime";
import { registerProcess } from "@meridian/supervision";
import { expect, it } from "vitest";

it("a process exports its processor time and memory, and after a minute how late its event loop was", async () => {
  const metrics = new Metrics();
  let minute: () => void = () => {};
  let cancelled = 0;
  const after = (_: number, callback: () => void): (() => void) => {
    minute = callback;
    return () => (cancelled += 1);
  };
  const end = registerProcess(metrics, { after, nowMs: () => 1_800_000_000_000 });
  const valuesOf = (name: string): unknown[] =>
    (metrics.families().find((family) => family.name === name)?.samples ?? []).map(({ value }) =>
      typeof value === "function" ? value() : value,
    );
  expect(valuesOf("process_cpu_seconds_total")[0]).toBeGreaterThan(0);
  expect(valuesOf("process_resident_memory_bytes")[0]).toBeGreaterThan(1e6);
  const name = "nodejs_eventloop_delay_seconds";
  expect(valuesOf(name)).toEqual([undefined, undefined, undefined]);
  // The monitor measures from one of its turns, the first, to the next, which must fall into the time for which the loop is blocked.
  await new Promise((resolve) => setTimeout(resolve, 150));
  for (const endMs = performance.now() + 300; performance.now() < endMs;);
  await new Promise((resolve) => setTimeout(resolve, 50));
  minute();
  const [median = -1, , most = 0] = valuesOf(name) as number[];
  expect(median).toBeGreaterThanOrEqual(0);
  expect(most).toBeGreaterThan(0.05);
  end();
  expect(cancelled).toBe(1);
});
