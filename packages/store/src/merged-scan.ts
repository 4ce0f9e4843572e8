/** Ordered reads over the table of entries and the overlay together. */
import type { SummaryPage } from "@meridian/ports";
import {
  compareKeys,
  compareStamps,
  isPurgeable,
  summaryOf,
  type Summary,
} from "@meridian/protocol";
import { countingSummaries, type EntryFacts, LeftOut, type EntryTable } from "./entry-table.ts";
import type { Overlaid, Overlay } from "./overlay.ts";

/** Which keys to list. */
export interface ListQuery {
  /** Only keys that start with this; all of them if left out. */
  readonly prefix?: string;
  /** Only keys after this one. */
  readonly after?: string;
  /** Only this key and those after it. */
  readonly from?: string;
  /** At most so many entries. */
  readonly limit: number;
  /** Leaves out what is not live at this instant, in milliseconds since the Unix epoch. */
  readonly liveAtMs?: number;
}

/** A page of a listing. */
export interface ListPage {
  readonly entries: readonly EntryFacts[];
  /** The key to go on after, or null at the end. A page may be short, even empty, and yet not be the last. */
  readonly next: string | null;
}

/** How many rows a page looks at before it is returned short: the work of one turn. */
const ROWS_PER_PAGE = 1_000;

/** Where a scan starts, and what it gives. */
export interface SummaryQuery {
  /** Only keys after this one; null for all of them. */
  readonly after: string | null;
  /** At most so many. */
  readonly limit: number;
  /** What is purgeable under this is passed over. */
  readonly horizon: number;
}

/** The next `limit` keys of a query, with the newest stamp of each that counts. */
export function scanSummaryPage(
  table: EntryTable,
  overlay: Overlay,
  { after, limit, horizon }: SummaryQuery,
): SummaryPage {
  const convert = ({ entry }: Overlaid): Summary =>
    isPurgeable(entry, horizon) ? new LeftOut(entry) : summaryOf(entry);
  const stored = table.summariesAfter(after, limit, horizon);
  const end = stored.length < limit ? null : (stored.at(-1)?.key ?? null);
  const overlaid = overlay.keysBetween(after, end, limit);
  if (overlaid.length === 0) return { summaries: countingSummaries(stored), next: end };
  // The overlay may have more keys than it was asked for.
  const next = overlaid.length < limit ? end : (overlaid.at(-1) ?? null);
  const found = mergeByKey(stored, overlaid, overlay, convert).filter(
    ({ key }) => next === null || compareKeys(key, next) <= 0,
  );
  if (found.length <= limit) return { summaries: countingSummaries(found), next };
  // Fewer stored keys than asked for, and as many overlaid ones, are more together.
  const page = found.slice(0, limit);
  return { summaries: countingSummaries(page), next: page.at(-1)?.key ?? null };
}

/** The first `limit` summaries after `after` of what is read in pages. */
export function collectSummaries(
  after: string | null,
  limit: number,
  pageAfter: (after: string | null) => SummaryPage,
): Summary[] {
  const found: Summary[] = [];
  for (let from = after; ;) {
    const { summaries, next } = pageAfter(from);
    for (const summary of summaries) {
      found.push(summary);
      if (found.length === limit) return found;
    }
    if (next === null) return found;
    from = next;
  }
}

/** A page of entries without their values, in key order. */
export function scanList(table: EntryTable, overlay: Overlay, query: ListQuery): ListPage {
  const { prefix = "", after, limit, liveAtMs } = query;
  const entries: EntryFacts[] = [];
  const resumed = after !== undefined && compareKeys(after, prefix) >= 0;
  const isBefore =
    query.from !== undefined && compareKeys(resumed ? after : prefix, query.from) < 0;
  let from = isBefore ? query.from : resumed ? after : prefix;
  let including = isBefore || !resumed;
  for (let seen = 0; seen < ROWS_PER_PAGE;) {
    const rowsMax = Math.min(Math.max(limit, 256), ROWS_PER_PAGE - seen);
    const stored = table.factsFrom(from, including, rowsMax);
    const end = stored.length < rowsMax ? null : (stored.at(-1)?.key ?? null);
    const overlaid = overlay.keysBetween(from, end, rowsMax);
    if (including && overlay.find(from) !== undefined) overlaid.unshift(from);
    const merged = mergeByKey(stored, overlaid, overlay, factsOf).slice(0, rowsMax);
    for (const facts of merged) {
      if (!facts.key.startsWith(prefix)) return { entries, next: null };
      from = facts.key;
      if (liveAtMs !== undefined && !isLiveAt(facts, liveAtMs)) continue;
      entries.push(facts);
      if (entries.length === limit) return { entries, next: from };
    }
    if (merged.length < rowsMax) return { entries, next: null };
    including = false;
    seen += merged.length;
  }
  return { entries, next: from };
}

function mergeByKey<T extends Summary>(
  stored: readonly T[],
  overlaid: readonly string[],
  overlay: Overlay,
  convert: (overlaid: Overlaid, row: T | undefined) => T | undefined,
): T[] {
  const merged: T[] = [];
  let index = 0;
  for (const key of overlaid) {
    const found = overlay.find(key);
    if (found === undefined) continue;
    for (; index < stored.length; index += 1) {
      const row = stored[index];
      if (row === undefined || compareKeys(row.key, key) >= 0) break;
      merged.push(row);
    }
    const row = stored[index];
    const same = row?.key === key ? row : undefined;
    const isOlder =
      same !== undefined && !found.settled && compareStamps(found.entry.stamp, same.stamp) <= 0;
    const winner = isOlder ? same : convert(found, same);
    if (winner !== undefined) merged.push(winner);
    if (same !== undefined) index += 1;
  }
  for (; index < stored.length; index += 1) {
    const row = stored[index];
    if (row !== undefined) merged.push(row);
  }
  return merged;
}

function factsOf({ entry }: Overlaid): EntryFacts {
  const { key, stamp, expiresAtMs, deleted, contentType, value } = entry;
  return { key, stamp, expiresAtMs, deleted, contentType, bytes: value.byteLength };
}

function isLiveAt({ deleted, expiresAtMs }: EntryFacts, nowMs: number): boolean {
  return !deleted && (expiresAtMs === 0 || nowMs < expiresAtMs);
}
