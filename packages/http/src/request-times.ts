import { WAIT_SECONDS, type Clock, type Histogram, type Metrics } from "@meridian/runtime";

/** A hit in memory takes far less time than anything that waits for a disk. */
const REQUEST_SECONDS: readonly number[] = [0.0001, ...WAIT_SECONDS];

/** Methods that clients may name; any other is one, for clients must not make numbers without end. */
const METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS"]);

/** How long requests take, from their head to their answer, by method, route and status. */
export class RequestTimes {
  readonly #clock: Pick<Clock, "elapsedMs">;
  readonly #metrics: Metrics;
  readonly #histograms = new Map<string, Map<number, Histogram>>();

  constructor(clock: Pick<Clock, "elapsedMs">, metrics: Metrics) {
    this.#clock = clock;
    this.#metrics = metrics;
  }

  /** The times of one method at one route. `route` is one of a program's, or `none`. */
  of(method: string, route: string): RouteTimes {
    const named = METHODS.has(method) ? method : "other";
    const name = `${named} ${route}`;
    let byStatus = this.#histograms.get(name);
    if (byStatus === undefined) this.#histograms.set(name, (byStatus = new Map()));
    return new RouteTimes(this.#clock, byStatus, (status) =>
      this.#metrics.histogram(
        "meridian_http_request_seconds",
        "How long requests took from their head to their answer.",
        REQUEST_SECONDS,
        { method: named, route, status: String(status) },
      ),
    );
  }
}

/** How long requests of one method to one route take, by status. */
export class RouteTimes {
  readonly #clock: Pick<Clock, "elapsedMs">;
  readonly #byStatus: Map<number, Histogram>;
  readonly #make: (status: number) => Histogram;

  constructor(
    clock: Pick<Clock, "elapsedMs">,
    byStatus: Map<number, Histogram>,
    make: (status: number) => Histogram,
  ) {
    this.#clock = clock;
    this.#byStatus = byStatus;
    this.#make = make;
  }

  /** Notes that a request which came at `startedMs`, by the clock's elapsed time, has its answer now. Returns how many milliseconds it took. */
  observe(status: number, startedMs: number): number {
    let histogram = this.#byStatus.get(status);
    if (histogram === undefined) this.#byStatus.set(status, (histogram = this.#make(status)));
    const tookMs = this.#clock.elapsedMs() - startedMs;
    histogram.observe(tookMs / 1_000);
    return tookMs;
  }
}
