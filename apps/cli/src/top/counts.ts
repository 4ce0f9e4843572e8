/** Reads the counters of a region from its metrics. */

/** The counters of a region since its start. */
export interface Counts {
  /** When the counters were read, in milliseconds of a monotonic clock. */
  readonly atMs: number;
  readonly hits: number;
  readonly misses: number;
  readonly writes: number;
  /** By bound in seconds: how many requests took at most that long. The last bound is Infinity. */
  readonly seconds: ReadonlyMap<number, number>;
}

const SAMPLE = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/;
const LE = /(?:^|,)le="([^"]+)"/;

/** Reads the counters from the text of `/metrics`. A counter that is missing is 0. */
export function countsOf(text: string, atMs: number): Counts {
  let [hits, misses, writes] = [0, 0, 0];
  const seconds = new Map<number, number>();
  for (const line of text.split("\n")) {
    const [, name, labels = "", said] = SAMPLE.exec(line) ?? [];
    const value = Number(said);
    if (!Number.isFinite(value)) continue;
    if (name === "meridian_reads_total") {
      if (labels.includes('from="nowhere"')) misses += value;
      else hits += value;
    } else if (name === "meridian_written_entries_total") writes += value;
    else if (name === "meridian_http_request_seconds_bucket" && labels.includes("/cache")) {
      const bound = Number(LE.exec(labels)?.[1]?.replace("+Inf", "Infinity"));
      seconds.set(bound, (seconds.get(bound) ?? 0) + value);
    }
  }
  return { atMs, hits, misses, writes, seconds };
}

/** The rates between two readings; null for a rate that is not known. Without a first reading, ratio and percentile are those since the region's start. */
export interface Pace {
  readonly writesPerSecond: number | null;
  /** The share of reads that found a value, 0 to 1. */
  readonly hitRatio: number | null;
  /** The 99th percentile of the duration of requests for entries, rounded up to the bound of a bucket. */
  readonly p99Ms: number | null;
}

/** Compares two readings of one region. */
export function paceOf(before: Counts | undefined, now: Counts): Pace {
  // Counters that have decreased belong to a new process.
  const since = before !== undefined && before.writes <= now.writes ? before : undefined;
  const hits = now.hits - (since?.hits ?? 0);
  const reads = hits + now.misses - (since?.misses ?? 0);
  return {
    writesPerSecond:
      since === undefined ? null : ((now.writes - since.writes) * 1_000) / (now.atMs - since.atMs),
    hitRatio: reads > 0 ? hits / reads : null,
    p99Ms: percentile(since, now),
  };
}

function percentile(since: Counts | undefined, now: Counts): number | null {
  const within = [...now.seconds]
    .map(([bound, count]) => [bound, count - (since?.seconds.get(bound) ?? 0)] as const)
    .toSorted(([a], [b]) => a - b);
  const total = within.at(-1)?.[1] ?? 0;
  if (total <= 0) return null;
  const [bound] = within.find(([, count]) => count >= total * 0.99) ?? [Infinity];
  return bound * 1_000;
}
