import { unexpected } from "./cache-error.ts";

/** The entries of a cache as plain data. JSON can store it if JSON can store the keys and values. */
export interface CacheSnapshot<K, V> {
  readonly version: 1;
  /** Key, value and remaining time in milliseconds (null: none), the first to be evicted first. */
  readonly entries: readonly (readonly [key: K, value: V, remainingMs: number | null])[];
}

/** Checks a snapshot that may come from a file. Throws `BAD_SNAPSHOT`. */
export function checkSnapshot(snapshot: CacheSnapshot<unknown, unknown>): void {
  if (snapshot?.version !== 1 || !Array.isArray(snapshot.entries)) {
    throw unexpected("BAD_SNAPSHOT", "snapshot", "with `version` 1 and `entries`", snapshot);
  }
  for (const entry of snapshot.entries) {
    const remaining: unknown = Array.isArray(entry) && entry.length === 3 ? entry[2] : undefined;
    if (remaining !== null && !(typeof remaining === "number" && !Number.isNaN(remaining))) {
      throw unexpected("BAD_SNAPSHOT", "entries", "as [key, value, milliseconds or null]", entry);
    }
  }
}
