import type { Clock, Logger } from "@meridian/runtime";

import type { ClusterClock } from "./cluster-clock.ts";

/** A clock that moves by more than this against elapsed time between two looks was set by somebody. In milliseconds. */
const STEP_MS = 1_000;

/** Logs when the node's clock is wrong, right again, or was set, and when no majority confirms the time any more. */
export class ClockWatch {
  readonly #time: ClusterClock;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #offsetMs: number | undefined;
  #isCorrected = false;
  #isConfirmed: boolean | undefined;

  constructor(time: ClusterClock, clock: Clock, logger: Logger) {
    this.#time = time;
    this.#clock = clock;
    this.#logger = logger;
  }

  /** To be called with every heartbeat. */
  look(): void {
    this.#lookForStep();
    const { corrected, aheadMs, agreement } = this.#time;
    const isConfirmed = this.#time.confirmedMs() !== undefined;
    const fields = { aheadMs, ...agreement };
    if (corrected && !this.#isCorrected) {
      const said = "this machine's clock is not the cluster's; the cluster's time is used";
      this.#logger.warn(said, fields);
    } else if (!corrected && this.#isCorrected) {
      this.#logger.info("this machine's clock is used again", fields);
    }
    if (!isConfirmed && this.#isConfirmed === true) {
      const said = "no majority of the members' clocks agrees any more";
      this.#logger.warn(`${said}; what has expired is kept`, fields);
    } else if (isConfirmed && this.#isConfirmed === false) {
      this.#logger.info("a majority of the members' clocks agrees", fields);
    }
    this.#isCorrected = corrected;
    this.#isConfirmed = isConfirmed;
  }

  #lookForStep(): void {
    const offsetMs = this.#clock.nowMs() - this.#clock.elapsedMs();
    const steppedMs = Math.round(offsetMs - (this.#offsetMs ?? offsetMs));
    this.#offsetMs = offsetMs;
    if (Math.abs(steppedMs) <= STEP_MS) return;
    this.#logger.warn("this machine's clock was set while the node runs", { byMs: steppedMs });
  }
}
