import { createHistogram } from "node:perf_hooks";

/** A summary of latencies, in milliseconds. */
export interface LatencySummary {
  readonly count: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
}

/** A histogram of latencies, exact to a thousandth of each. */
export class Latencies {
  /** In microseconds. */
  readonly #histogram = createHistogram();

  record(ms: number): void {
    this.#histogram.record(Math.max(1, Math.round(ms * 1_000)));
  }

  summary(elapsedMs: number): LatencySummary {
    const { count } = this.#histogram;
    const percentileMs = (percentile: number): number =>
      count === 0 ? 0 : this.#histogram.percentile(percentile) / 1_000;
    return {
      count,
      perSecond: Math.round(count / (elapsedMs / 1_000)),
      p50Ms: percentileMs(50),
      p99Ms: percentileMs(99),
      p999Ms: percentileMs(99.9),
      maxMs: count === 0 ? 0 : this.#histogram.max / 1_000,
    };
  }
}
