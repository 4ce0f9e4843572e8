/** The few statistics that benchmarks need. */

/** The middle of the values; of an even number of values, the mean of the two in the middle. NaN for none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2;
}

/** The smallest value that `share` of the values do not exceed. NaN for none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? NaN;
}

/** The median of the ratios that two series have to each other in each round that both have. */
export function medianRatio(values: readonly number[], references: readonly number[]): number {
  const rounds = Math.min(values.length, references.length);
  const ratioAt = (round: number): number => (values[round] ?? NaN) / (references[round] ?? NaN);
  return median(Array.from({ length: rounds }, (_, round) => ratioAt(round)));
}
