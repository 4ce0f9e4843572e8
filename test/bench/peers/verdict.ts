/** Compares the figures of two versions. */
import type { Samples } from "./rounds.ts";
import { median, medianRatio } from "./statistics.ts";

/** Figures of which more is better; of all others less is. */
const MORE_IS_BETTER: ReadonlySet<string> = new Set(["requestsPerSecond"]);
/** Figures that differ too much between two runs of one version. They are told and not judged. */
const UNJUDGED: ReadonlySet<string> = new Set(["lagP99Ms"]);

/** One figure of both versions. */
export interface Comparison {
  readonly row: string;
  readonly figure: string;
  /** The median of the rounds. */
  readonly before: number;
  readonly after: number;
  /** The median of the ratios of all rounds; above 1, the second version costs more. */
  readonly ratio: number;
  readonly isWorse: boolean;
}

/** Compares each figure of a row. A ratio above `ratioMax` is worse. */
export function compare(row: string, samples: Samples, ratioMax: number): readonly Comparison[] {
  const { before = {}, after = {} } = samples;
  return Object.entries(before).map(([figure, old]) => {
    const now = after[figure] ?? [];
    const ratio = MORE_IS_BETTER.has(figure) ? medianRatio(old, now) : medianRatio(now, old);
    const isWorse = !UNJUDGED.has(figure) && !(ratio <= ratioMax);
    return { row, figure, before: median(old), after: median(now), ratio, isWorse };
  });
}

/** The comparisons as lines of text. */
export function comparisonLines(comparisons: readonly Comparison[]): readonly string[] {
  const digits = (value: number): string => String(Number(value.toPrecision(4)));
  const rows = comparisons.map(({ row, figure, before, after, ratio, isWorse }) => [
    row,
    figure,
    digits(before),
    digits(after),
    ratio.toFixed(2),
    isWorse ? "WORSE" : UNJUDGED.has(figure) ? "not judged" : "",
  ]);
  const all = [["row", "figure", "before", "after", "cost ratio", ""], ...rows];
  const widths = [0, 1, 2, 3, 4, 5].map((column) =>
    Math.max(...all.map((cells) => (cells[column] ?? "").length)),
  );
  return all.map((cells) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}
