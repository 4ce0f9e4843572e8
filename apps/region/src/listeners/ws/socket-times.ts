import { WAIT_SECONDS, type Clock, type Histogram, type Metrics } from "@meridian/runtime";

/** How long requests over WebSockets take, by operation and outcome. */
export class SocketTimes {
  readonly #clock: Pick<Clock, "elapsedMs">;
  readonly #metrics: Metrics;
  readonly #histograms = new Map<string, Histogram>();

  constructor(clock: Pick<Clock, "elapsedMs">, metrics: Metrics) {
    this.#clock = clock;
    this.#metrics = metrics;
  }

  /** Notes that a request which came at `startedMs` has its answer now: `code` is `ok`, or that of an error. `operation` is one of the table's, or `none`. */
  observe(operation: string, code: string, startedMs: number): void {
    const name = `${operation} ${code}`;
    let histogram = this.#histograms.get(name);
    if (histogram === undefined) {
      histogram = this.#metrics.histogram(
        "meridian_websocket_request_seconds",
        "How long requests over WebSockets took, from their arrival to their answer.",
        [0.0001, ...WAIT_SECONDS],
        { operation, code },
      );
      this.#histograms.set(name, histogram);
    }
    histogram.observe((this.#clock.elapsedMs() - startedMs) / 1_000);
  }
}
