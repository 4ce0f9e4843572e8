/**
 * Whether a series grows. The slope is the median of the slopes between all pairs of samples (Theil and Sen): up to a quarter of the samples
 * may be arbitrarily wrong, such as those taken while connections were being opened, without moving it far.
 */

/** What was measured, and when. */
export interface Sample {
  readonly atMs: number;
  readonly value: number;
}

/** How a series develops. */
export interface Trend {
  readonly samples: number;
  readonly median: number;
  /** What the slope adds up to between the first sample and the last. */
  readonly growth: number;
}

/** Fewer samples say nothing. */
const SAMPLES_MIN = 8;

/** The median; of an even number of values the mean of the two in the middle. */
function median(values: Iterable<number>): number {
  const sorted = Float64Array.from(values).sort();
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2;
}

/** The trend of samples in their order. Throws if there are too few, or if they do not follow each other in time. */
export function trendOf(samples: readonly Sample[]): Trend {
  const [first, last] = [samples[0], samples.at(-1)];
  if (first === undefined || last === undefined || samples.length < SAMPLES_MIN) {
    throw new Error(`Expected at least ${SAMPLES_MIN} samples, got ${samples.length}`);
  }
  const slopes: number[] = [];
  for (const [index, earlier] of samples.entries()) {
    for (const later of samples.slice(index + 1)) {
      const elapsedMs = later.atMs - earlier.atMs;
      if (!(elapsedMs > 0)) throw new Error("Expected samples in the order of their times");
      slopes.push((later.value - earlier.value) / elapsedMs);
    }
  }
  return {
    samples: samples.length,
    median: median(samples.map(({ value }) => value)),
    growth: median(slopes) * (last.atMs - first.atMs),
  };
}

/** The value that `share` of all values do not exceed; NaN if there are none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? NaN;
}
