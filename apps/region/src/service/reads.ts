/**
 * Reads: from memory, else from the store, which then refills memory. A read and its refill are never separated by other work.
 */
import { checkClientKey } from "@meridian/protocol";
import type { Replica } from "@meridian/replication";

import type { CachedRecord } from "./cached-record.ts";
import { listKeys, type KeyPage, type KeyQuery, type KeySource } from "./key-listing.ts";
import type { Memory } from "./memory.ts";
import type { Found } from "./requests.ts";

/** Reads since the start, by where they were answered from. */
export interface ReadCounts {
  readonly memory: number;
  readonly store: number;
  readonly misses: number;
}

/** What reads are made of. */
export interface ReadsOptions {
  readonly replica: Pick<Replica, "get" | "nowMs">;
  readonly memory: Memory;
  readonly store: KeySource;
  /** Whether requests are served now. */
  readonly admission: { readonly serving: boolean };
}

/** Reads what a node holds. */
export class Reads {
  readonly #options: ReadsOptions;
  readonly #memory: Memory;
  #memoryReads = 0;
  #storeReads = 0;
  #misses = 0;

  constructor(options: ReadsOptions) {
    this.#options = options;
    this.#memory = options.memory;
  }

  /** Reads since the start. */
  counts(): ReadCounts {
    return { memory: this.#memoryReads, store: this.#storeReads, misses: this.#misses };
  }

  /** Keys read since the start. */
  get count(): number {
    return this.#memoryReads + this.#storeReads + this.#misses;
  }

  /** The live record of a key if memory has it and requests are served now. */
  hit(key: string): CachedRecord | undefined {
    if (!this.#options.admission.serving) return undefined;
    const record = this.#memory.get(key);
    if (record !== undefined) this.#memoryReads += 1;
    return record;
  }

  /** The live record of a key, if there is one. Throws `INVALID_KEY`. */
  find(key: string): Found | undefined {
    checkClientKey(key);
    const held = this.#memory.get(key);
    if (held !== undefined) {
      this.#memoryReads += 1;
      return { record: held, tier: "memory" };
    }
    const entry = this.#options.replica.get(key);
    const record = entry && this.#memory.fill(entry);
    if (record === undefined) {
      this.#misses += 1;
      return undefined;
    }
    this.#storeReads += 1;
    return { record, tier: "store" };
  }

  /** A page of the live keys, in key order, without reserved ones. Does not count as a use of them. */
  list(query: KeyQuery): Promise<KeyPage> {
    const { store, replica } = this.#options;
    return listKeys(store, query, () => replica.nowMs());
  }
}
