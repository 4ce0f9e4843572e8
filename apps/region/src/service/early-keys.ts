/** Lists the keys of a store together with those of which this region has something that is not ordered yet. */
import { compareKeys, isLive, type Entry } from "@meridian/protocol";
import type { Replica } from "@meridian/replication";

import type { KeyPage, KeySource, ListedKey } from "./key-listing.ts";

/** The part of a replica that is read. */
export type EarlyReplica = Pick<Replica, "get"> & {
  readonly early: Pick<Replica["early"], "isEmpty" | "keys">;
};

/** What the store lists, with what came early in its place. */
export function withEarly(source: KeySource, replica: EarlyReplica): KeySource {
  return {
    list: (query) => {
      const page = source.list(query);
      if (replica.early.isEmpty) return page;
      const rows = new Map(page.entries.map((row) => [row.key, row]));
      const { prefix, from, after, limit, liveAtMs } = query;
      for (const key of replica.early.keys) {
        const isBefore = after !== undefined && compareKeys(key, after) <= 0;
        const isBehind = page.next !== null && compareKeys(key, page.next) > 0;
        if (isBefore || isBehind || !key.startsWith(prefix) || compareKeys(key, from) < 0) continue;
        const entry = replica.get(key);
        if (entry !== undefined && isLive(entry, liveAtMs)) rows.set(key, rowOf(entry));
        else rows.delete(key);
      }
      return pageOf([...rows.values()], limit, page.next);
    },
  };
}

function pageOf(rows: readonly ListedKey[], limit: number, next: string | null): KeyPage {
  const entries = rows.toSorted((a, b) => compareKeys(a.key, b.key)).slice(0, limit);
  return { entries, next: entries.length < rows.length ? (entries.at(-1)?.key ?? next) : next };
}

function rowOf({ key, contentType, stamp, expiresAtMs, value }: Entry): ListedKey {
  return { key, contentType, stamp, expiresAtMs, bytes: value.byteLength };
}
