/**
 * Shares with the other nodes which keys clients read here, and warms what clients read there: a client that comes here next then finds it in memory.
 *
 * About once a second, while clients read, the directory is told the hottest keys that are news to it. What others use is read from the store in short steps. None
 * of this is a use by a client, is written anywhere, or changes an answer.
 */
import { isReservedKey, type KeyHeat } from "@meridian/protocol";
import type { Replica } from "@meridian/replication";
import type { Clock, Counter, Logger, Metrics } from "@meridian/runtime";

import { HeatSketch } from "./heat-sketch.ts";
import type { Memory } from "./memory.ts";
import { Steps } from "./steps.ts";

const TELL_EVERY_MS = 1_000;

/** Larger values are neither told nor warmed, in bytes. */
const VALUE_BYTES_MAX = 64 * 1024;

/** What is read from the store for one message, in bytes: a directory could name the largest values of all. */
const MESSAGE_BYTES_MAX = 8 * 1024 * 1024;

/** The parts that a `HeatShare` needs. */
export interface HeatShareOptions {
  readonly replica: Pick<Replica, "get"> & { readonly heat: Pick<Replica["heat"], "tell"> };
  readonly memory: Pick<Memory, "lacks" | "warm" | "warming">;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** The sharing in numbers, each since the start but the last. */
export interface HeatStats {
  /** Keys that the directory was told. */
  readonly told: number;
  /** Keys that it has told this node. */
  readonly heard: number;
  readonly warmed: number;
  readonly used: number;
  readonly unusedBytes: number;
}

/** Tells what is used here, and warms what is used elsewhere. */
export class HeatShare {
  readonly #options: HeatShareOptions;
  readonly #sketch: HeatSketch;
  readonly #told: Counter;
  readonly #heard: Counter;
  #cancelTimer: (() => void) | undefined;
  #isWarming = false;
  #isStopped = false;

  constructor(options: HeatShareOptions) {
    const { clock, metrics, memory } = options;
    this.#options = options;
    this.#sketch = new HeatSketch(clock);
    const help = "Keys in use, told to the directory or heard from it.";
    this.#told = metrics.counter("meridian_heat_keys_total", help, { way: "told" });
    this.#heard = metrics.counter("meridian_heat_keys_total", help, { way: "heard" });
    metrics.counted(
      "meridian_warmed_entries_total",
      "Entries taken into memory because clients of other nodes use them.",
      () => memory.warming().warmed,
    );
    metrics.counted(
      "meridian_warmed_used_total",
      "Those of them that a client has read before they left memory.",
      () => memory.warming().used,
    );
    metrics.gauge(
      "meridian_warmed_unused_bytes",
      "What those take in memory that no client has read yet.",
      () => memory.warming().unusedBytes,
    );
    metrics.level(() => [{ name: "heatBytes", ...this.#sketch.level }]);
  }

  /** A client has read the value of a key, of so many bytes. */
  used(key: string, bytes: number): void {
    if (bytes > VALUE_BYTES_MAX || isReservedKey(key)) return;
    this.#schedule();
    this.#sketch.used(key);
  }

  /** Clients of other nodes read these keys, the hottest first. */
  hear(keys: readonly KeyHeat[]): void {
    this.#heard.add(keys.length);
    // The store is slow: it has better things to do.
    if (this.#isWarming || this.#isStopped) return;
    this.#isWarming = true;
    const failed = (cause: unknown): void => {
      this.#options.logger.debug("what others use was not warmed", { why: String(cause) });
    };
    void this.#warm(keys)
      .catch(failed)
      .finally(() => {
        this.#isWarming = false;
      });
  }

  stats(): HeatStats {
    const [told, heard] = [this.#told.value, this.#heard.value];
    return { told, heard, ...this.#options.memory.warming() };
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelTimer?.();
  }

  #schedule(): void {
    if (this.#cancelTimer !== undefined || this.#isStopped) return;
    // Not before what was read lately has been told.
    this.#sketch.fade();
    this.#cancelTimer = this.#options.clock.after(TELL_EVERY_MS, () => this.#tell());
  }

  #tell(): void {
    this.#cancelTimer = undefined;
    const told = this.#options.replica.heat.tell(() => this.#sketch.news());
    this.#told.add(told);
    if (told > 0 && this.#sketch.hasMore) this.#schedule();
  }

  async #warm(keys: readonly KeyHeat[]): Promise<void> {
    const { replica, memory } = this.#options;
    const steps = new Steps();
    let left = MESSAGE_BYTES_MAX;
    for (const [key, reads] of keys) {
      if (!memory.lacks(key, reads)) continue;
      const entry = replica.get(key);
      const bytes = entry?.value.byteLength ?? 0;
      if (entry !== undefined && bytes <= VALUE_BYTES_MAX && !memory.warm(entry, reads)) return;
      left -= bytes;
      if (left < 0) return;
      await steps.spend(bytes);
      if (this.#isStopped) return;
    }
  }
}
