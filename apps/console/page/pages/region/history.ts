/** The last hour of a program's numbers, as it tells of them. */
import type { DirectoryAnswer } from "../../api/answers.ts";
import type { SentEvent } from "../../api/event-stream.ts";

/** All points, oldest first. */
export type KeptHistory = DirectoryAnswer<"/history">;

/** As many as programs keep. */
const POINTS_MAX = 360;

/** The history after an event. Events of other names change nothing. */
export function historyAfter(
  history: KeptHistory | undefined,
  { name, data }: SentEvent,
): KeptHistory | undefined {
  if (name === "history") return JSON.parse(data) as KeptHistory;
  if (name !== "point" || history === undefined) return history;
  const { atMs, values } = JSON.parse(data) as {
    readonly atMs: number;
    readonly values: Readonly<Record<string, number | null>>;
  };
  const lines = Object.entries(history.lines).map(([line, numbers]) => [
    line,
    [...numbers, values[line] ?? null].slice(-POINTS_MAX),
  ]);
  return {
    ...history,
    atMs: [...history.atMs, atMs].slice(-POINTS_MAX),
    lines: Object.fromEntries(lines) as KeptHistory["lines"],
  };
}

/** What the numbers of a line were: the last one, the lowest and the highest. */
export interface Extent {
  readonly now: number | null;
  readonly lowest: number | null;
  readonly highest: number | null;
}

/** The extent of a line. */
export function extentOf(numbers: readonly (number | null)[]): Extent {
  const known = numbers.filter((each) => each !== null);
  const now = numbers.at(-1) ?? null;
  if (known.length === 0) return { now, lowest: null, highest: null };
  return { now, lowest: Math.min(...known), highest: Math.max(...known) };
}

/** The share of a line in the sum of several, in percent; null where nothing was counted. */
export function shareOf(
  parts: readonly (readonly (number | null)[])[],
  all: readonly (readonly (number | null)[])[],
): (number | null)[] {
  const length = Math.max(0, ...all.map((line) => line.length));
  return Array.from({ length }, (_, at) => {
    const sum = sumAt(all, at);
    return sum > 0 ? (100 * sumAt(parts, at)) / sum : null;
  });
}

function sumAt(lines: readonly (readonly (number | null)[])[], at: number): number {
  return lines.reduce((sum, line) => sum + (line[at] ?? 0), 0);
}
