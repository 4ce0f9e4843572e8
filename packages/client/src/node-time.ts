/**
 * What a node's clock shows, as far as its answers tell: never more than it shows. An answer has shown its time before it came, and after its request was
 * sent; so the node's time is at least what it said and what has elapsed since it came.
 *
 * For example, a request was sent at 1 000 of the client's elapsed time, and its answer, which says 5 000 000, came at 1 040. At 1 100 the node's clock
 * shows from 5 000 060 to 5 000 100: 5 000 060 is what counts. Of several answers, the one counts that was the shortest under way.
 */

/** An older answer does not count any more, in milliseconds: clocks drift. */
const FRESH_MS = 60_000;

/** The time of one node. */
export class NodeTime {
  /** By how much the node's clock is ahead of this client's elapsed time, at least; undefined before any answer. */
  #aheadMs: number | undefined;
  /** When the answer came that says so. */
  #heardAtMs = -Infinity;

  /** What the clock shows at an instant of this client's elapsed time, or less; undefined if the node has never told. */
  at(elapsedMs: number): number | undefined {
    return this.#aheadMs === undefined ? undefined : this.#aheadMs + elapsedMs;
  }

  /** The answer to a request that was sent at `sentAtMs` of this client's elapsed time, and that came at `heardAtMs`, says that it was `nowMs`. */
  heard(nowMs: number, sentAtMs: number, heardAtMs: number): void {
    const [atLeastMs, atMostMs] = [nowMs - heardAtMs, nowMs - sentAtMs];
    const known = this.#aheadMs;
    const isFresh = heardAtMs - this.#heardAtMs <= FRESH_MS;
    // Above `atMostMs`, the clock has been set back since.
    if (known !== undefined && isFresh && known >= atLeastMs && known <= atMostMs) return;
    this.#aheadMs = atLeastMs;
    this.#heardAtMs = heardAtMs;
  }
}
