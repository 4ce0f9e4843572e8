import { parseStamp, unixMsOf } from "@meridian/protocol";
import type { Clock } from "@meridian/runtime";

/**
 * The cluster's time, as far as its answers tell of it: the clock of a browser may be wrong by hours, and then no value would
 * ever seem fresh, or none stale. An entry's etag says when it was made. One that this client wrote was made between the
 * request and its answer; one that it reads was made before the answer.
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

  /** Takes note of an entry that was written by a request which left at `sentAtMs`, on the clock's `nowMs`. */
  wrote(etag: string | null, sentAtMs: number): void {
    const madeAtMs = madeAtMsOf(etag);
    if (madeAtMs === undefined) return;
    this.#aheadMs = Math.min(this.#aheadMs, madeAtMs + 1 - sentAtMs);
    this.#atLeast(madeAtMs);
  }

  /** How long ago an entry was made, in milliseconds; 0 where its etag does not say. */
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

/** The millisecond in which an entry was made, by its etag; undefined where that is no stamp. */
function madeAtMsOf(etag: string | null): number | undefined {
  try {
    return unixMsOf(parseStamp((etag ?? "").replace(/^"(.*)"$/, "$1")).time);
  } catch {
    return undefined;
  }
}
