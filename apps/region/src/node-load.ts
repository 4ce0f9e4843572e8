import type { NodeLoad } from "@meridian/protocol";
import type { Clock, Gauge } from "@meridian/runtime";

import type { Memory } from "./service/memory.ts";
import type { RegionService } from "./service/region-service.ts";

/** The shortest time over which rates are measured, in milliseconds. */
const WINDOW_MS = 1_000;

/** A node counts as refusing for this long after it was last full, in milliseconds: otherwise clients would come back at once. */
const REFUSING_MS = 5_000;

/** A gauge above this part of its bound means that the node refuses requests, or writes that are not small. */
const FULL: Readonly<Record<string, number>> = {
  httpConnections: 0.95,
  httpRequests: 0.95,
  httpAnswerBytes: 0.95,
  bodyBytes: 0.95,
  writeBytes: 0.75,
};

/** The counters of a node's operations. */
type Operations = { readonly [Part in "reads" | "writes"]: Pick<RegionService[Part], "count"> };

/** Measures how busy a node is, for its heartbeats. */
export class LoadMeter {
  readonly #service: Operations;
  readonly #memory: Pick<Memory, "stats">;
  readonly #clock: Clock;
  readonly #gauges: () => readonly Gauge[];
  #fullAtMs = -Infinity;
  #atMs: number;
  #operations = 0;
  #perSecond = 0;

  constructor(
    service: Operations,
    memory: Pick<Memory, "stats">,
    clock: Clock,
    gauges: () => readonly Gauge[],
  ) {
    this.#gauges = gauges;
    this.#service = service;
    this.#memory = memory;
    this.#clock = clock;
    this.#atMs = clock.elapsedMs();
  }

  /** The load over the last second or so. */
  read(): NodeLoad {
    const nowMs = this.#clock.elapsedMs();
    const passedMs = nowMs - this.#atMs;
    if (passedMs >= WINDOW_MS) {
      const operations = this.#service.reads.count + this.#service.writes.count;
      this.#perSecond = ((operations - this.#operations) / passedMs) * 1000;
      this.#operations = operations;
      this.#atMs = nowMs;
    }
    const { entries, bytes } = this.#memory.stats();
    const load = { entries, bytes, requestsPerSecond: this.#perSecond };
    if (this.#isFull()) this.#fullAtMs = nowMs;
    return nowMs - this.#fullAtMs < REFUSING_MS ? { ...load, refusing: true } : load;
  }

  #isFull(): boolean {
    return this.#gauges().some(({ name, now, max }) => now >= (FULL[name] ?? Infinity) * max);
  }
}
