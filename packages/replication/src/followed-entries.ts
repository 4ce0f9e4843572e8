import { replaces, type Entry, type MeridianError, type Stamp } from "@meridian/protocol";

import type { DirectoryLog } from "./ports.ts";

/** How many stamps are remembered before the log is asked to settle. */
const STAMPS_MAX = 4_096;

/**
 * Tells news from what the log has already, for entries that come from other directories. An entry is taken from
 * them at most once: so none goes round among directories that follow each other.
 *
 * What was taken and may not be in the log's table yet is remembered by its stamp. What nodes have sent is not: an
 * entry that one of them has just replaced may still be taken, which costs a place in the log and changes nothing.
 */
export class FollowedEntries {
  readonly #log: Pick<DirectoryLog, "get" | "settle">;
  #stamps = new Map<string, Stamp>();
  /** Those that the log will know once it has settled. */
  #settling: Map<string, Stamp> | undefined;

  constructor(log: Pick<DirectoryLog, "get" | "settle">) {
    this.#log = log;
  }

  /** The entries that are newer than what the log has of their keys. Each is remembered as taken. */
  takeNews(entries: readonly Entry[]): Entry[] {
    return entries.filter((entry) => {
      const { key, stamp } = entry;
      const known = this.#stamps.get(key) ?? this.#settling?.get(key);
      if (known !== undefined && !replaces(entry, { key, stamp: known })) return false;
      if (!replaces(entry, this.#log.get(key))) return false;
      this.#stamps.set(key, stamp);
      return true;
    });
  }

  /** What was taken is durable. Forgets, once in a while, what the log knows by itself. */
  onDurable(): void {
    if (this.#settling !== undefined || this.#stamps.size < STAMPS_MAX) return;
    this.#settling = this.#stamps;
    this.#stamps = new Map();
    this.#settle();
  }

  #settle(): void {
    this.#log.settle((failure?: MeridianError) => {
      // A log that cannot settle ends its directory.
      if (failure === undefined) this.#settling = undefined;
    });
  }
}
