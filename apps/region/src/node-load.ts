import type { NodeLoad } from "@meridian/protocol";
import type { Clock } from "@meridian/runtime";

import type { Memory } from "./memory.ts";
import type { RegionService } from "./region-service.ts";

/** Differences over less time than this would be noise. */
const WINDOW_MS = 1_000;

/** Measures how busy a node is, for its heartbeats. */
export class LoadMeter {
  readonly #service: RegionService;
  readonly #memory: Memory;
  readonly #clock: Clock;
  #atMs: number;
  #operations = 0;
  #perSecond = 0;

  constructor(service: RegionService, memory: Memory, clock: Clock) {
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
      const operations = this.#service.operations();
      this.#perSecond = ((operations - this.#operations) / passedMs) * 1000;
      this.#operations = operations;
      this.#atMs = nowMs;
    }
    const { entries, bytes } = this.#memory.stats();
    return { entries, bytes, requestsPerSecond: this.#perSecond };
  }
}
