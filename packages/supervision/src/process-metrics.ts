import {
  constants,
  monitorEventLoopDelay,
  PerformanceObserver,
  type NodeGCPerformanceDetail,
  type PerformanceEntry,
} from "node:perf_hooks";

import type { Clock, Histogram, Metrics } from "@meridian/runtime";

/** The figures of the event loop cover the last complete span of this length, in milliseconds. */
const SPAN_MS = 60_000;

/** How often the delay of the event loop is measured, in milliseconds. Each time wakes a process that has nothing else to do. */
const RESOLUTION_MS = 100;

const QUANTILES = [0.5, 0.99, 1] as const;

/** Bucket bounds for the durations of garbage collections, in seconds. */
const COLLECTION_SECONDS: readonly number[] = [
  0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1,
];

const COLLECTIONS: Readonly<Record<number, string>> = {
  [constants.NODE_PERFORMANCE_GC_MINOR]: "minor",
  [constants.NODE_PERFORMANCE_GC_MAJOR]: "major",
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL]: "incremental",
  [constants.NODE_PERFORMANCE_GC_WEAKCB]: "weakcb",
};

/** Registers the version of the program. */
export function registerBuild(metrics: Metrics, version: string): void {
  const help = "1, with the version that runs as a label.";
  metrics.gauge("meridian_build_info", help, () => 1, { version, node: process.versions.node });
}

/**
 * Registers the process's use of processor and memory, the delay of its event loop, and the durations of its garbage
 * collections. Returns a function that ends the measuring.
 */
export function registerProcess(
  metrics: Metrics,
  clock: Pick<Clock, "after" | "nowMs">,
): () => void {
  metrics.counted("process_cpu_seconds_total", "Processor time that the process has taken.", () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  });
  metrics.gauge("process_resident_memory_bytes", "Memory that the process holds.", () =>
    process.memoryUsage.rss(),
  );
  const startedAt = clock.nowMs() / 1_000 - process.uptime();
  const started = "When the process was started, in seconds since the Unix epoch.";
  metrics.gauge("process_start_time_seconds", started, () => startedAt);
  const heap = "Memory that JavaScript objects take.";
  metrics.gauge("nodejs_heap_size_used_bytes", heap, () => process.memoryUsage().heapUsed);
  const external = "Memory of buffers and of what libraries hold for objects.";
  metrics.gauge("nodejs_external_memory_bytes", external, () => process.memoryUsage().external);
  const endCollections = registerCollections(metrics);
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
    endCollections();
  };
}

function registerCollections(metrics: Metrics): () => void {
  const histograms = new Map<string, Histogram>();
  for (const kind of Object.values(COLLECTIONS)) {
    const help = "How long collections of garbage took, by kind.";
    const name = "nodejs_gc_duration_seconds";
    histograms.set(kind, metrics.histogram(name, help, COLLECTION_SECONDS, { kind }));
  }
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      histograms.get(kindOf(entry))?.observe(entry.duration / 1_000);
    }
  });
  observer.observe({ entryTypes: ["gc"] });
  return () => observer.disconnect();
}

function kindOf(entry: PerformanceEntry & { readonly detail?: unknown }): string {
  return COLLECTIONS[(entry.detail as NodeGCPerformanceDetail).kind ?? 0] ?? "other";
}

/** The delay in seconds. The monitor reports nanoseconds, its own interval included. */
function lateSeconds(nanoseconds: number): number {
  return Math.max(0, nanoseconds / 1e9 - RESOLUTION_MS / 1e3);
}
