import type { NodeLoad } from "@meridian/protocol";
import type { Clock, Gauge } from "@meridian/runtime";

import type { Memory } from "./service/memory.ts";
import type { RegionService } from "./service/region-service.ts";

/** Differences over less time than this would be noise. */
const WINDOW_MS = 1_000;

/** How long a node counts as refusing after it was last full: clients that it sends away come back at once if they may. */
const REFUSING_MS = 5_000;

/** Beyond these parts of their bounds, gauges say that what comes is refused, whoever sends it; of writes, what is not small. */
const FULL: Readonly<Record<string, number>> = {
  httpConnections: 0.95,
  httpRequests: 0.95,
  httpAnswerBytes: 0.95,
  bodyBytes: 0.95,
  writeBytes: 0.75,
};

/** What counts the operations of a node. */
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
