import {
  compareKeys,
  isPurgeable,
  listEntry,
  type KeyRange,
  type ListedEntry,
} from "@meridian/protocol";
import type { SqliteReplicaStore } from "@meridian/store";

/** The first entries of a part of the key space. */
export interface EntryPageQuery extends KeyRange {
  readonly limit: number;
}

/** What a store holds in a part of the key space: tombstones and expired entries too, but for purgeable ones. */
export interface EntryPage {
  /** The store's own horizon. */
  readonly horizon: number;
  readonly entries: readonly ListedEntry[];
  /** The key that the next page starts after; null if the range ends here. */
  readonly next: string | null;
}

/** The first entries of a range, as of `nowMs`. */
export function entryPageOf(
  store: Pick<SqliteReplicaStore, "list" | "horizon">,
  { after, through, limit }: EntryPageQuery,
  nowMs: number,
): EntryPage {
  const page = store.list({ limit, ...(after !== null && { after }) });
  const { horizon } = store;
  const within = page.entries.filter(
    (facts) =>
      (through === null || compareKeys(facts.key, through) <= 0) && !isPurgeable(facts, horizon),
  );
  const { next } = page;
  const isOver = next === null || (through !== null && compareKeys(next, through) >= 0);
  return {
    horizon,
    entries: within.map((facts) => listEntry(facts, nowMs)),
    next: isOver ? null : next,
  };
}
