/** What runs of the benchmark of peers have come to, and the tables and charts of that. */
import { type Bar, chart, threeDigits } from "./chart.ts";
import type { RowResult } from "./rounds.ts";
import { median, medianRatio } from "./statistics.ts";

/** A figure of a row, as it is told. */
interface FigureHead {
  readonly figure: string;
  /** With the unit. */
  readonly title: string;
  /** Whether a further column has the ratio to the row's yardstick. */
  readonly ratio?: boolean;
}

/** How a row is told. */
export interface RowHead {
  readonly name: string;
  readonly title: string;
  /** What is measured, and how each contender is set up. */
  readonly method: string;
  /** The first one is what the chart shows. */
  readonly figures: readonly FigureHead[];
  /** The contender to which ratios are taken. */
  readonly yardstick?: string;
}

/** One row of one run. */
export interface RowRecord extends RowResult {
  /** The day, as `2026-01-31`. */
  readonly date: string;
  readonly machine: string;
  /** How many processors the machine has. */
  readonly processors: number;
  /** The version of each program that took part, by name. */
  readonly versions: Readonly<Record<string, string>>;
  /** The options of the run. */
  readonly extent: Readonly<Record<string, number>>;
  /** The mean number of processes that wanted a processor in the last minute, before the row and after it. */
  readonly load: readonly [before: number, after: number];
  /** The file system of the servers' data. */
  readonly disk: string;
  /** Why peers did not take part. */
  readonly skipped: readonly string[];
}

/** The newest record of each row. */
export type Records = Readonly<Record<string, RowRecord>>;

/** Whether a contender is one of this project. */
function isOurs(name: string): boolean {
  return name.startsWith("Meridian");
}

/** The table of a row: one line for each contender, the medians of its rounds. */
export function tableOf({ figures, yardstick }: RowHead, { samples }: RowRecord): string {
  const heads = figures.flatMap(({ title, ratio = false }) =>
    ratio && yardstick !== undefined ? [title, `of ${yardstick}`] : [title],
  );
  const lines = Object.entries(samples).map(([name, values]) => {
    const cells = figures.flatMap(({ figure, ratio = false }) => {
      const own = values[figure] ?? [];
      const told = own.length === 0 ? "–" : threeDigits(median(own));
      if (!ratio || yardstick === undefined) return [told];
      const share = medianRatio(own, samples[yardstick]?.[figure] ?? []);
      return [told, Number.isNaN(share) ? "–" : share.toFixed(2)];
    });
    return [isOurs(name) ? `**${name}**` : name, ...cells];
  });
  const rows = [["", ...heads], ["---", ...heads.map(() => "---")], ...lines];
  return rows.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

/** What a reader has to know of the run of a row. */
export function captionOf({ name }: RowHead, record: RowRecord): string {
  const { date, machine, processors, versions, extent, load, disk, failures, skipped } = record;
  const list = (all: Readonly<Record<string, string | number>>): string =>
    Object.entries(all)
      .map(([key, value]) => `${key} ${value}`)
      .join(", ");
  const [before, after] = load;
  const sentences = [
    `${date}; ${machine}; data on ${disk}; ${list(versions)}; ${list(extent)}.`,
    `Load of the machine before and after: ${before.toFixed(1)} and ${after.toFixed(1)}.`,
    ...(before > processors ? ["It was busy with other work: only the ratios count."] : []),
    ...skipped.map((why) => `Skipped: ${why}.`),
    ...Object.entries(failures).map(([who, how]) => `Failed: ${who} (${how}).`),
    `\`npm run bench:peers -- --only ${name}\``,
  ];
  return sentences.join(" ");
}

/** The chart of a row's first figure. */
export function chartOf({ title, figures }: RowHead, { samples, date, load }: RowRecord): string {
  const [first] = figures;
  const figure = first?.figure ?? "";
  const bars = Object.entries(samples).map(([label, values]): Bar => {
    const own = values[figure] ?? [];
    return {
      label,
      value: median(own),
      low: Math.min(...own),
      high: Math.max(...own),
      isOurs: isOurs(label),
    };
  });
  const subtitle = `${first?.title ?? ""}; bar: median of the rounds, line: lowest to highest; ${date}, load ${load[0].toFixed(1)}`;
  return chart(
    title,
    subtitle,
    bars.filter(({ value }) => !Number.isNaN(value)),
  );
}

/** The part of BENCHMARKS.md that is about peers. */
export function documentOf(
  heads: readonly RowHead[],
  records: Records,
  chartPath: (name: string) => string,
): string {
  const parts = heads.flatMap((head) => {
    const record = records[head.name];
    if (record === undefined) return [];
    return [
      `### ${head.title}`,
      head.method,
      tableOf(head, record),
      `![${head.title}](${chartPath(head.name)})`,
      captionOf(head, record),
    ];
  });
  return parts.join("\n\n");
}

const BEGIN = "<!-- peers -->";
const END = "<!-- end of peers -->";

/** Replaces what stands between the marks of a document. Throws if it has none. */
export function withPeers(document: string, part: string): string {
  const [from, to] = [document.indexOf(BEGIN), document.indexOf(END)];
  if (from < 0 || to < from) throw new Error(`Expected ${BEGIN} and ${END} in the document`);
  return `${document.slice(0, from + BEGIN.length)}\n\n${part}\n\n${document.slice(to)}`;
}
