/** Ordered reads over the table of entries and the overlay together. */
import {
  compareKeys,
  compareStamps,
  isPurgeable,
  summaryOf,
  type Summary,
} from "@meridian/protocol";
import type { EntryFacts, EntryTable } from "./entry-table.ts";
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

/** How many rows a page looks at before it is returned short. */
const ROWS_PER_PAGE = 10_000;

/** Where a scan starts, and what it gives. */
export interface SummaryQuery {
  /** Only keys after this one; null for all of them. */
  readonly after: string | null;
  /** At most so many. */
  readonly limit: number;
  /** What is purgeable under this is passed over. */
  readonly horizon: number;
}

/** The keys of a query in key order, with the newest stamp of each. */
export function scanSummaries(table: EntryTable, overlay: Overlay, query: SummaryQuery): Summary[] {
  const { limit, horizon } = query;
  const found: Summary[] = [];
  const convert = ({ entry, settled }: Overlaid, row: Summary | undefined): Summary | undefined => {
    if (isPurgeable(entry, horizon)) return undefined;
    // What the table has may be newer and purgeable, and was passed over.
    if (row === undefined && !settled && entry.stamp.time <= horizon) {
      const stored = table.stampOf(entry.key);
      if (stored !== undefined && compareStamps(stored, entry.stamp) > 0) return undefined;
    }
    return summaryOf(entry);
  };
  for (let from = query.after; ;) {
    const stored = table.summariesAfter(from, limit, horizon);
    const end = stored.length < limit ? null : (stored.at(-1)?.key ?? null);
    const overlaid = overlay.keysBetween(from, end, limit);
    // The overlay may have more keys than it was asked for.
    const reached = overlaid.length < limit ? end : (overlaid.at(-1) ?? null);
    for (const summary of mergeByKey(stored, overlaid, overlay, convert)) {
      if (reached !== null && compareKeys(summary.key, reached) > 0) break;
      found.push(summary);
      if (found.length === limit) return found;
    }
    if (reached === null) return found;
    from = reached;
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
    const rowsMax = Math.min(Math.max(limit, 64), ROWS_PER_PAGE - seen);
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
