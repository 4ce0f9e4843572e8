import { unexpected } from "./cache-error.ts";

/** What a cache holds, as plain data: JSON keeps it if it keeps the keys and values. */
export interface CacheSnapshot<K, V> {
  readonly version: 1;
  /** Key, value and remaining time in milliseconds (null: none), the first to be evicted first. */
  readonly entries: readonly (readonly [key: K, value: V, remainingMs: number | null])[];
}

/** Checks what may have come from a file; throws `BAD_SNAPSHOT`. */
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
