import type { Clock } from "./clock.ts";
import type { LogFields, Logger } from "./logger.ts";
import type { Counter, Metrics } from "./metrics.ts";

/** How cut connections are counted. */
export interface CutsOptions<Reason extends string> {
  readonly clock: Pick<Clock, "after">;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** The name of the metric, and its help text. */
  readonly name: string;
  readonly help: string;
  /** The message of the log lines. */
  readonly said: string;
  readonly reasons: readonly Reason[];
}

/** After a log line, further cuts for the same reason are gathered for so long, in milliseconds. */
const GATHER_MS = 10_000;

/** The counts of one reason. */
interface Tally {
  readonly counter: Counter;
  /** How many cuts have not been logged yet; undefined if the next one is logged at once. */
  untold: number | undefined;
}

/**
 * Counts the connections and links that a program has cut or refused, by reason. The first cut for a reason is logged at once, later ones
 * together once in ten seconds with their number, so that an attack does not fill the disk with log lines.
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

  /** Counts one cut and logs it, at once or with others. */
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

  /** Counts one cut without logging it. */
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
