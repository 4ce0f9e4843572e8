/**
 * Reads: from memory, else from the store, which then refills memory. A read and its refill are never separated by other work.
 */
import {
  checkClientKey,
  CLIENT_KEY_MIN,
  isLive,
  REVOCATION_PREFIX,
  type Entry,
} from "@meridian/protocol";
import type { Replica } from "@meridian/replication";
import type { Counter, Metrics } from "@meridian/runtime";

import type { CachedRecord } from "./cached-record.ts";
import { withEarly, type EarlyReplica } from "./early-keys.ts";
import type { HeatShare } from "./heat-share.ts";
import { listKeys, type KeyPage, type KeyQuery, type KeySource } from "./key-listing.ts";
import type { Memory } from "./memory.ts";
import type { Found } from "./requests.ts";

/** Reads since the start, by where they were answered from. */
export interface ReadCounts {
  readonly memory: number;
  readonly store: number;
  readonly misses: number;
}

/** The parts that reads need. */
export interface ReadsOptions {
  readonly replica: Pick<Replica, "nowMs"> & EarlyReplica;
  readonly memory: Memory;
  readonly store: KeySource;
  /** Whether requests are served now. */
  readonly admission: { readonly serving: boolean };
  /** Is told what clients have read. */
  readonly heat: Pick<HeatShare, "used"> | undefined;
  readonly metrics: Metrics;
}

/** Answers reads from memory and the store. */
export class Reads {
  readonly #options: ReadsOptions;
  readonly #memory: Memory;
  readonly #memoryReads: Counter;
  readonly #storeReads: Counter;
  readonly #misses: Counter;

  constructor(options: ReadsOptions) {
    this.#options = options;
    this.#memory = options.memory;
    this.#memoryReads = readCounter(options.metrics, "memory");
    this.#storeReads = readCounter(options.metrics, "store");
    this.#misses = readCounter(options.metrics, "nowhere");
  }

  /** Reads since the start. */
  counts(): ReadCounts {
    const [memory, store] = [this.#memoryReads.value, this.#storeReads.value];
    return { memory, store, misses: this.#misses.value };
  }

  /** Keys read since the start. */
  get count(): number {
    return this.#memoryReads.value + this.#storeReads.value + this.#misses.value;
  }

  /** The live record of a key if memory has it, with a value of at most `bytesMax`, and requests are served now. */
  hit(key: string, bytesMax: number = Infinity): CachedRecord | undefined {
    if (!this.#options.admission.serving) return undefined;
    const record = this.#memory.get(key);
    if (record === undefined || record.bytes > bytesMax) return undefined;
    this.#memoryReads.add();
    this.#options.heat?.used(key, record.bytes);
    return record;
  }

  /** The live record of a key, if there is one. Throws `INVALID_KEY`. */
  find(key: string): Found | undefined {
    checkClientKey(key);
    const held = this.#memory.get(key);
    if (held !== undefined) {
      this.#memoryReads.add();
      this.#options.heat?.used(key, held.bytes);
      return { record: held, tier: "memory" };
    }
    const entry = this.#options.replica.get(key);
    const record = entry && this.#memory.fill(entry);
    if (record === undefined) {
      this.#misses.add();
      return undefined;
    }
    this.#storeReads.add();
    this.#options.heat?.used(key, record.bytes);
    return { record, tier: "store" };
  }

  /** The live entry of a key, if there is one. Does not count as a use of it. */
  peek(key: string): Entry | undefined {
    const { replica } = this.#options;
    const entry = replica.get(key);
    return entry !== undefined && isLive(entry, replica.nowMs()) ? entry : undefined;
  }

  /** The newest entry of a key, also one that is deleted or has expired. Does not count as a use of it. */
  newest(key: string): Entry | undefined {
    return this.#options.replica.get(key);
  }

  /** A page of the live keys, in key order, without reserved ones. Does not count as a use of them. */
  list(query: KeyQuery): Promise<KeyPage> {
    const { store, replica } = this.#options;
    const source = withEarly(store, replica);
    return listKeys(source, { ...query, from: CLIENT_KEY_MIN }, () => replica.nowMs());
  }

  /** A page of the revoked tokens whose ids come after `after`, in the order of the ids. */
  async listRevocations(after: string, limit: number): Promise<RevocationPage> {
    const { store, replica } = this.#options;
    const [prefix, from] = [REVOCATION_PREFIX, ""];
    const query = { prefix, from, limit, after: prefix + after };
    const { entries, next } = await listKeys(store, query, () => replica.nowMs());
    const revocations = entries.map(({ key, expiresAtMs }) => ({
      id: key.slice(prefix.length),
      expiresAtMs,
    }));
    return { revocations, next: next === null ? null : next.slice(prefix.length) };
  }
}

/** A page of revoked tokens. It may be short, even empty, and yet not be the last. */
export interface RevocationPage {
  /** `expiresAtMs` is 0 for a revocation that never expires. */
  readonly revocations: readonly { readonly id: string; readonly expiresAtMs: number }[];
  /** The id that the next page starts after; null at the end. */
  readonly next: string | null;
}

function readCounter(metrics: Metrics, from: string): Counter {
  return metrics.counter("meridian_reads_total", "Keys read, by where they were found.", { from });
}
