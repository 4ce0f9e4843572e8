import { monitorEventLoopDelay } from "node:perf_hooks";

import type { Clock, Metrics } from "@meridian/runtime";

/** What is told of the event loop is about the last whole span of this length, in milliseconds. */
const SPAN_MS = 60_000;

/** How often the event loop is looked at, in milliseconds. */
const RESOLUTION_MS = 20;

const QUANTILES = [0.5, 0.99, 1] as const;

/**
 * Registers what the process takes of its machine: processor, memory, and how late its event loop is. Returns what ends the
 * measuring.
 */
export function registerProcess(metrics: Metrics, clock: Pick<Clock, "after">): () => void {
  metrics.counted("process_cpu_seconds_total", "Processor time that the process has taken.", () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  });
  metrics.gauge("process_resident_memory_bytes", "Memory that the process holds.", () =>
    process.memoryUsage.rss(),
  );
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  let told: ReadonlyMap<number, number> = new Map();
  for (const quantile of QUANTILES) {
    metrics.gauge(
      "nodejs_eventloop_delay_seconds",
      "How late the event loop was within the last whole minute, by quantile.",
      () => told.get(quantile),
      { quantile: String(quantile) },
    );
  }
  let cancel: () => void;
  const next = (): void => {
    cancel = clock.after(SPAN_MS, () => {
      told = new Map(QUANTILES.map((each) => [each, lateSeconds(delay.percentile(each * 100))]));
      delay.reset();
      next();
    });
  };
  delay.enable();
  next();
  return () => {
    cancel();
    delay.disable();
  };
}

/** The monitor counts its own interval, in nanoseconds. */
function lateSeconds(nanoseconds: number): number {
  return Math.max(0, nanoseconds / 1e9 - RESOLUTION_MS / 1e3);
}
