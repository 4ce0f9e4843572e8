/** Which charts a program has, and which lines are in each. */
import type { Unit } from "./amounts.ts";
import { shareOf, type KeptHistory } from "./history.ts";

/** A line of a chart. */
interface ChartLine {
  readonly label: string;
  readonly numbers: readonly (number | null)[];
}

/** A chart with its numbers. */
export interface Chart {
  readonly title: string;
  readonly unit: Unit;
  readonly lines: readonly ChartLine[];
}

type Wanted = readonly [title: string, unit: Unit, lines: Readonly<Record<string, string>>];

const REGION: readonly Wanted[] = [
  ["Requests", "rate", { requestsPerSecond: "HTTP", socketRequestsPerSecond: "WebSocket" }],
  [
    "Reads",
    "rate",
    {
      memoryReadsPerSecond: "from memory",
      storeReadsPerSecond: "from disk",
      missedReadsPerSecond: "not there",
    },
  ],
  ["Writes", "rate", { writesPerSecond: "written here" }],
  ["Entries", "count", { entries: "on disk", cacheEntries: "in memory" }],
  ["Bytes", "bytes", { storeBytes: "on disk", cacheBytes: "in memory" }],
  [
    "Leaving memory",
    "rate",
    {
      evictedPerSecond: "evicted",
      expiredPerSecond: "expired",
      deletedPerSecond: "deleted",
      replacedPerSecond: "replaced",
      rejectedPerSecond: "not let in",
    },
  ],
  ["Outbox", "count", { outboxFrames: "not committed" }],
  ["Lag", "ms", { lagMs: "behind" }],
  ["Clock", "ms", { skewMs: "ahead" }],
  ["Disk", "bytes", { diskFreeBytes: "free" }],
  ["Event loop", "ms", { loopDelayMs: "late (p99 of a minute)" }],
];

const DIRECTORY: readonly Wanted[] = [
  ["Requests", "rate", { requestsPerSecond: "HTTP" }],
  ["Log", "rate", { orderedPerSecond: "ordered", committedPerSecond: "durable" }],
  ["Nodes", "count", { members: "connected", readyNodes: "ready" }],
  ["Entries", "count", { entries: "in the log" }],
  ["Bytes", "bytes", { storeBytes: "on disk" }],
  ["Disk", "bytes", { diskFreeBytes: "free" }],
  ["Event loop", "ms", { loopDelayMs: "late (p99 of a minute)" }],
];

/** The charts of a history: those of a region if it has what regions have. */
export function chartsOf(history: KeptHistory): readonly Chart[] {
  const { lines } = history;
  const isRegion = lines["writesPerSecond"] !== undefined;
  const charts = (isRegion ? REGION : DIRECTORY).map(([title, unit, names]) => ({
    title,
    unit,
    lines: Object.entries(names).flatMap(([name, label]) => {
      const numbers = lines[name];
      return numbers === undefined ? [] : [{ label, numbers }];
    }),
  }));
  if (isRegion) charts.splice(2, 0, hitsOf(lines));
  return charts.filter((chart) => chart.lines.length > 0);
}

function hitsOf(lines: KeptHistory["lines"]): Chart & { readonly lines: ChartLine[] } {
  const [memory, store, missed] = ["memory", "store", "missed"].map(
    (from) => lines[`${from}ReadsPerSecond`] ?? [],
  ) as [readonly (number | null)[], readonly (number | null)[], readonly (number | null)[]];
  const all = [memory, store, missed];
  return {
    title: "Hits",
    unit: "percent",
    lines: [
      { label: "in memory", numbers: shareOf([memory], all) },
      { label: "here at all", numbers: shareOf([memory, store], all) },
    ],
  };
}
