/** A claim of another directory: entries behind `head` in its log have stamp times of at least `lowestTime`. */
interface Said {
  readonly head: number;
  readonly lowestTime: number;
}

/**
 * Knows the lowest stamp time that entries from another directory may still have. The other directory often says how far its log has come, and below
 * which stamp time its nodes send nothing any more. This claim counts once its log has been followed so far. A lower claim, because a node with older
 * entries has joined it, counts at once.
 */
export class PeerTimes {
  /** The newest claim whose place has been followed. */
  #reached = 0;
  /** The oldest claim whose place is not reached, and the newest. Were only the newest kept, claims that come often would never be reached. */
  #said: readonly Said[] = [];

  /** Behind `head`, nothing of the other directory's nodes is older than `lowestTime`. */
  hear(head: number, lowestTime: number): void {
    const [first, last] = this.#said;
    if (first === undefined) this.#said = [{ head, lowestTime }];
    else {
      // A claim in between may be about entries that have not come yet.
      const lowest = Math.min(lowestTime, last?.lowestTime ?? Infinity);
      this.#said = [first, { head, lowestTime: lowest }];
    }
  }

  /** No entry that still comes has a lower stamp time, where the other log has been followed through `applied`; 0 while that is not known. */
  lowestTime(applied: number): number {
    for (const { head, lowestTime } of this.#said) {
      if (head > applied) break;
      this.#reached = lowestTime;
      this.#said = this.#said.slice(1);
    }
    return Math.min(this.#reached, ...this.#said.map((each) => each.lowestTime));
  }
}
