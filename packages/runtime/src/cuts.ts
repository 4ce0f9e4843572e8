import type { Clock } from "./clock.ts";
import type { LogFields, Logger } from "./logger.ts";
import type { Counter, Metrics } from "./metrics.ts";

/** How what a program parts with is counted. */
export interface CutsOptions<Reason extends string> {
  readonly clock: Pick<Clock, "after">;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** The name of the metric, and what it says. */
  readonly name: string;
  readonly help: string;
  /** What the log says. */
  readonly said: string;
  readonly reasons: readonly Reason[];
}

/** After a line of the log, those of the same reason are gathered for so long, in milliseconds. */
const GATHER_MS = 10_000;

/** What is known of one reason. */
interface Tally {
  readonly counter: Counter;
  /** Those that the log has not told; undefined where it tells of the next one at once. */
  untold: number | undefined;
}

/**
 * Counts what a program parts with: connections and links of peers that cost others too much. The log tells of the first at
 * once, and then, for each reason, how many there were in ten seconds: an attack fills no disk with what is said about it.
 */
export class Cuts<Reason extends string> {
  readonly #options: CutsOptions<Reason>;
  readonly #tallies = new Map<Reason, Tally>();

  constructor(options: CutsOptions<Reason>) {
    this.#options = options;
    const { metrics, name, help } = options;
    for (const reason of options.reasons) {
      const counter = metrics.counter(name, help, { reason });
      this.#tallies.set(reason, { counter, untold: undefined });
    }
  }

  /** Counts one, and tells of it. */
  tell(reason: Reason, fields: LogFields = {}): void {
    this.count(reason);
    const tally = this.#tallies.get(reason);
    if (tally === undefined) return;
    if (tally.untold !== undefined) {
      tally.untold += 1;
      return;
    }
    this.#options.logger.warn(this.#options.said, { reason, ...fields });
    this.#gather(reason, tally);
  }

  /** Counts one of which the log need not tell. */
  count(reason: Reason): void {
    this.#tallies.get(reason)?.counter.add();
  }

  #gather(reason: Reason, tally: Tally): void {
    tally.untold = 0;
    const { clock, logger, said } = this.#options;
    clock.after(GATHER_MS, () => {
      const { untold } = tally;
      tally.untold = undefined;
      if (untold === undefined || untold === 0) return;
      logger.warn(said, { reason, times: untold, withinMs: GATHER_MS });
      this.#gather(reason, tally);
    });
  }
}
