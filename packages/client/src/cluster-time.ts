import { parseStamp, unixMsOf } from "@meridian/protocol";
import type { Clock } from "@meridian/runtime";

/**
 * Estimates the cluster's time from etags, which contain the stamp of an entry. The clock of a browser may be wrong by hours, and
 * all values would then count as stale, or none. An entry that this client wrote was stamped between the request and its answer; an entry that it
 * reads was stamped before the answer. Servers also tell what time it is.
 */
export class ClusterTime {
  readonly #clock: Clock;
  /** How far the cluster's clocks are ahead of this one, in milliseconds. */
  #aheadMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Milliseconds since the Unix epoch. */
  nowMs(): number {
    return this.#clock.nowMs() + this.#aheadMs;
  }

  /** Learns from the etag of an entry that this client wrote. `sentAtMs` is the clock's `nowMs` when the request was sent. */
  wrote(etag: string | null, sentAtMs: number): void {
    const madeAtMs = madeAtMsOf(etag);
    if (madeAtMs === undefined) return;
    this.#aheadMs = Math.min(this.#aheadMs, madeAtMs + 1 - sentAtMs);
    this.#atLeast(madeAtMs);
  }

  /** Learns that the time is now from `lowestMs` to `highestMs`. */
  heard(lowestMs: number, highestMs: number): void {
    const nowMs = this.#clock.nowMs();
    this.#aheadMs = Math.max(lowestMs - nowMs, Math.min(highestMs - nowMs, this.#aheadMs));
  }

  /** The age of an entry, in milliseconds; 0 if its etag is not a stamp. */
  ageMsOf(etag: string | null): number {
    const madeAtMs = madeAtMsOf(etag);
    if (madeAtMs === undefined) return 0;
    this.#atLeast(madeAtMs);
    return this.nowMs() - madeAtMs;
  }

  #atLeast(madeAtMs: number): void {
    this.#aheadMs = Math.max(this.#aheadMs, madeAtMs - this.#clock.nowMs());
  }
}

/** The millisecond in which an entry was stamped, by its etag; undefined if the etag is not a stamp. */
function madeAtMsOf(etag: string | null): number | undefined {
  try {
    return unixMsOf(parseStamp((etag ?? "").replace(/^"(.*)"$/, "$1")).time);
  } catch {
    return undefined;
  }
}
