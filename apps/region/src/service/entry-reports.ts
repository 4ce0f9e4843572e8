/** What a node knows of one key besides its value: the entry that it holds, whether memory has it, and the last changes of the key. */
import { isLive, listEntry, type Entry } from "@meridian/protocol";

import type { Change, ChangeFeed } from "./change-feed.ts";
import type { Memory } from "./memory.ts";
import type { Reads } from "./reads.ts";

/** The parts that reports need. */
export interface EntryReportsOptions {
  readonly reads: Pick<Reads, "newest">;
  readonly memory: Pick<Memory, "holds">;
  readonly feed: Pick<ChangeFeed, "lastOf">;
  readonly nowMs: () => number;
}

/** What a node knows of a key. */
export interface EntryReport {
  readonly nowMs: number;
  /** The newest entry of the key, deleted or expired ones too; undefined if there is none, or no more. */
  readonly entry: Entry | undefined;
  readonly state: "live" | "deleted" | "expired" | "absent";
  readonly tier: "memory" | "store" | null;
  /** The last changes of the key, the newest first; undefined while the feed keeps no changes. */
  readonly changes: readonly Change[] | undefined;
}

const CHANGES_MAX = 20;

/** Reports on keys. */
export class EntryReports {
  readonly #options: EntryReportsOptions;

  constructor(options: EntryReportsOptions) {
    this.#options = options;
  }

  /** Reports on a key. Does not count as a use of it. */
  of(key: string): EntryReport {
    const { reads, memory, feed, nowMs } = this.#options;
    const entry = reads.newest(key);
    const now = nowMs();
    const changes = feed.lastOf(key, CHANGES_MAX);
    if (entry === undefined) {
      return { nowMs: now, entry, state: "absent", tier: null, changes };
    }
    const { state } = listEntry({ ...entry, bytes: entry.value.byteLength }, now);
    const isHeld = isLive(entry, now) && memory.holds(entry);
    return { nowMs: now, entry, state, tier: isHeld ? "memory" : "store", changes };
  }
}
