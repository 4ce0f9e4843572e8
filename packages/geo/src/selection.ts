/**
 * The `limit` smallest of many offers, in order. An offer that is too large costs one comparison; another one moves up those that are larger. They are few:
 * limits are small, and who comes from near to far offers nearly in order.
 */
export class Selection<Item> {
  readonly #limit: number;
  /** Whether `a` goes before `b` when their ranks are equal. */
  readonly #isBefore: (a: Item, b: Item) => boolean;
  /** Smallest first; so are the items of these ranks. */
  readonly #ranks: number[] = [];
  readonly #items: Item[] = [];

  constructor(limit: number, isBefore: (a: Item, b: Item) => boolean) {
    this.#limit = limit;
    this.#isBefore = isBefore;
  }

  /** An offer above this rank would not be kept. Only ever falls. */
  get bound(): number {
    const { length } = this.#ranks;
    return length < this.#limit ? Infinity : (this.#ranks[length - 1] ?? -Infinity);
  }

  offer(rank: number, item: Item): void {
    const [ranks, items] = [this.#ranks, this.#items];
    let at = ranks.length;
    if (at === this.#limit) {
      if (!this.#isSmaller(rank, item, at - 1)) return;
      at -= 1;
    }
    for (; at > 0 && this.#isSmaller(rank, item, at - 1); at -= 1) {
      ranks[at] = ranks[at - 1] ?? rank;
      items[at] = items[at - 1] ?? item;
    }
    ranks[at] = rank;
    items[at] = item;
  }

  /** What was kept, smallest first. */
  get kept(): readonly Item[] {
    return this.#items;
  }

  /** Whether an offer goes before the one that is kept at a place. */
  #isSmaller(rank: number, item: Item, at: number): boolean {
    const kept = this.#ranks[at] ?? NaN;
    if (rank !== kept) return rank < kept;
    return this.#isBefore(item, this.#items[at] ?? item);
  }
}
