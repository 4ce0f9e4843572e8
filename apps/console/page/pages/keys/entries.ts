/** One key as each region has it, compared. */
import type { RegionAnswer } from "../../api/answers.ts";

/** What a region knows of a key. */
export type Report = RegionAnswer<"/entry">;

/** A region that was asked for a key. */
export interface AskedRegion {
  readonly name: string;
  readonly id: string | undefined;
  /** Undefined until it has answered. With a failure, what it told last. */
  readonly report?: Report | undefined;
  readonly failure?: string | undefined;
  /** Whether the failure says nothing of the key: there was too much to do, no answer of the page's own program, or a token that is good no more. */
  readonly isSilent?: boolean;
  /** By how much the region's time is ahead of that of the page, in milliseconds. */
  readonly aheadMs: number;
}

/** What was told last by each region of this list, by name; what one that is gone told is no longer so. */
export function toldOf(
  regions: readonly (Pick<AskedRegion, "name" | "id"> & { readonly isThere: boolean })[],
  asked: ReadonlyMap<string, AskedRegion>,
): readonly AskedRegion[] {
  return regions.map(({ name, id, isThere }) => {
    if (!isThere) return { name, id, aheadMs: 0, failure: "The region is gone." };
    return asked.get(name) ?? { name, id, aheadMs: 0 };
  });
}

/** What was told, with another answer: one that says nothing of the key leaves the report that there was. */
export function afterAnswer(
  asked: ReadonlyMap<string, AskedRegion>,
  answer: AskedRegion,
): ReadonlyMap<string, AskedRegion> {
  const before = asked.get(answer.name);
  const isKept = answer.isSilent === true && before?.report !== undefined;
  const { failure } = answer;
  return new Map(asked).set(answer.name, isKept ? { ...before, failure } : answer);
}

/** Compares what `formatStamp` wrote: which of two versions is newer. */
export function compareStampTexts(a: string, b: string): number {
  const [[timeA = "", originA = ""], [timeB = "", originB = ""]] = [a.split("-"), b.split("-")];
  return parseInt(timeA, 36) - parseInt(timeB, 36) || parseInt(originA, 36) - parseInt(originB, 36);
}

/** The newest version that any region has; undefined if none has one. */
export function newestOf(regions: readonly AskedRegion[]): string | undefined {
  const stamps = regions.flatMap(({ report }) =>
    report === undefined || report.stamp === null ? [] : [report.stamp],
  );
  return stamps.toSorted(compareStampTexts).at(-1);
}

/** What of the way of a version is known. */
export interface Way {
  /** The region that wrote it; undefined if none of those that were asked says so. */
  readonly writer: string | undefined;
  readonly writtenAtMs: number;
  /** When each region had it, the earliest first; undefined where that is not known. */
  readonly arrivals: readonly {
    readonly name: string;
    readonly atMs: number | undefined;
    readonly isWriter: boolean;
  }[];
}

/** The way of the newest version through the regions; undefined if nothing is known of it. */
export function wayOf(regions: readonly AskedRegion[], stamp: string | undefined): Way | undefined {
  if (stamp === undefined) return undefined;
  const arrivals = regions.map(({ name, report }) => {
    const found = report?.changes?.findLast((change) => change.stamp === stamp);
    return { name, atMs: found?.atMs, isWriter: found?.writtenHere === true, found };
  });
  const known = arrivals.find(({ found }) => found !== undefined)?.found;
  if (known === undefined) return undefined;
  return {
    writer: arrivals.find(({ isWriter }) => isWriter)?.name,
    writtenAtMs: known.writtenAtMs,
    arrivals: arrivals
      .map(({ name, atMs, isWriter }) => ({ name, atMs, isWriter }))
      .toSorted((a, b) => (a.atMs ?? Infinity) - (b.atMs ?? Infinity)),
  };
}

/** What is left of a value's life, for people. */
export function leftText(leftMs: number): string {
  if (leftMs <= 0) return "expired";
  const seconds = Math.ceil(leftMs / 1_000);
  const [days, hours, minutes] = [86_400, 3_600, 60].map((unit) => Math.floor(seconds / unit)) as [
    number,
    number,
    number,
  ];
  if (days > 1) return `in ${days} days`;
  const clock = [hours, minutes % 60, seconds % 60].map((each) => String(each).padStart(2, "0"));
  return `in ${clock.join(":")}`;
}

/** The beginnings that keys share, up to the next separator after a prefix, each with how many of the keys have it. */
export function groupsOf(
  keys: readonly string[],
  prefix: string,
): readonly (readonly [prefix: string, count: number])[] {
  const groups = new Map<string, number>();
  for (const key of keys) {
    const end = key.slice(prefix.length).search(/[:/.|#]/);
    if (end === -1) continue;
    const group = key.slice(0, prefix.length + end + 1);
    groups.set(group, (groups.get(group) ?? 0) + 1);
  }
  return [...groups].filter(([, count]) => count > 1).toSorted(([, a], [, b]) => b - a);
}
