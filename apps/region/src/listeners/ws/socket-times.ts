import type { SlowRequests } from "@meridian/http";
import type { RequestId } from "@meridian/protocol/socket-api";
import { WAIT_SECONDS, type Clock, type Histogram, type Metrics } from "@meridian/runtime";

/** Measures requests over WebSockets by operation and outcome, and tells the log of slow ones. Their keys stay out of both. */
export class SocketTimes {
  readonly #clock: Pick<Clock, "elapsedMs">;
  readonly #metrics: Metrics;
  readonly #slow: SlowRequests;
  readonly #histograms = new Map<string, Histogram>();

  constructor(clock: Pick<Clock, "elapsedMs">, metrics: Metrics, slow: SlowRequests) {
    this.#clock = clock;
    this.#metrics = metrics;
    this.#slow = slow;
  }

  /** Notes that a request which came at `startedMs` has its answer now: `code` is `ok`, or that of an error. `operation` is one of the table's, or `none`. */
  observe(operation: string, code: string, startedMs: number, id?: RequestId): void {
    const tookMs = this.#clock.elapsedMs() - startedMs;
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
    histogram.observe(tookMs / 1_000);
    if (id === undefined || tookMs <= this.#slow.thresholdMs) return;
    const ms = Math.round(tookMs);
    this.#slow.warn("a slow request", { type: operation, code, ms, requestId: id });
  }
}
