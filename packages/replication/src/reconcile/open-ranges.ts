import { compareKeys, MeridianError, type KeyRange } from "@meridian/protocol";

/** A walk through the key space leaves at most this many pieces open, because a node has fewer ranges in question at a time. */
const OPEN_MAX = 65_536;

/**
 * The parts of the key space that two parties still have to compare: all of it at first. Ranges that are equal, or have been exchanged,
 * are taken out, in pieces of any size and in any order. Invariant: the parts are in key order and do not touch.
 */
export class OpenRanges {
  #open: KeyRange[] = [{ after: null, through: null }];

  /** Whether the whole key space has been settled. */
  get isEmpty(): boolean {
    return this.#open.length === 0;
  }

  /** How many parts there are. */
  get pieces(): number {
    return this.#open.length;
  }

  /** Takes the keys after `after` through `through` out. Throws `MALFORMED_MESSAGE` if too many pieces are left. */
  settle(after: string | null, through: string | null): void {
    if (isEnd(through, after)) return;
    // The first part that does not end at or before `after`, and the first that begins at or behind `through`.
    const first = this.#find((range) => !isEnd(range.through, after));
    const end = this.#find((range) => isEnd(through, range.after));
    if (first >= end) return;
    const [start, last] = [this.#open[first], this.#open[end - 1]];
    const left: KeyRange[] = [];
    if (start !== undefined && !isStart(start.after, after)) {
      left.push({ after: start.after, through: after });
    }
    if (last !== undefined && through !== null && !isEnd(last.through, through)) {
      left.push({ after: through, through: last.through });
    }
    this.#open.splice(first, end - first, ...left);
    if (this.#open.length <= OPEN_MAX) return;
    const said = `Expected at most ${OPEN_MAX} ranges that differ, got more`;
    throw new MeridianError("MALFORMED_MESSAGE", said);
  }

  /** The index of the first part for which `is` holds; it holds for all behind that, too. */
  #find(is: (range: KeyRange) => boolean): number {
    let low = 0;
    let high = this.#open.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const range = this.#open[middle];
      if (range !== undefined && is(range)) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

/** Whether a range that ends with `through` has no key after `after`; null is the end of keys for the one, the start for the other. */
function isEnd(through: string | null, after: string | null): boolean {
  return after !== null && through !== null && compareKeys(through, after) <= 0;
}

/** Whether a range that starts after `start` has none of the keys through `after`. */
function isStart(start: string | null, after: string | null): boolean {
  return after === null || (start !== null && compareKeys(start, after) >= 0);
}
