/**
 * The `limit` smallest of many offers, kept as a heap whose root is the largest kept: an offer that is too
 * large costs one comparison, another one log2(limit).
 */
export class Selection<Item> {
  readonly #limit: number;
  /** Whether `a` goes before `b` when their ranks are equal. */
  readonly #isBefore: (a: Item, b: Item) => boolean;
  readonly #heap: { readonly rank: number; readonly item: Item }[] = [];

  constructor(limit: number, isBefore: (a: Item, b: Item) => boolean) {
    this.#limit = limit;
    this.#isBefore = isBefore;
  }

  /** An offer above this rank would not be kept. Only ever falls. */
  get bound(): number {
    return this.#heap.length < this.#limit ? Infinity : (this.#heap[0]?.rank ?? -Infinity);
  }

  offer(rank: number, item: Item): void {
    const heap = this.#heap;
    const offered = { rank, item };
    if (heap.length < this.#limit) {
      heap.push(offered);
      this.#rise(heap.length - 1);
    } else if (heap[0] !== undefined && this.#isSmaller(offered, heap[0])) {
      heap[0] = offered;
      this.#sink();
    }
  }

  /** What was kept, smallest first. */
  sorted(): Item[] {
    const smallestFirst = this.#heap.toSorted((a, b) => (this.#isSmaller(a, b) ? -1 : 1));
    return smallestFirst.map(({ item }) => item);
  }

  #isSmaller(a: { rank: number; item: Item }, b: { rank: number; item: Item }): boolean {
    return a.rank < b.rank || (a.rank === b.rank && this.#isBefore(a.item, b.item));
  }

  #rise(from: number): void {
    let index = from;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!this.#swapIfSmaller(parent, index)) return;
      index = parent;
    }
  }

  #sink(): void {
    let index = 0;
    for (;;) {
      const left = 2 * index + 1;
      const right = left + 1;
      const { [left]: a, [right]: b } = this.#heap;
      const larger = a !== undefined && b !== undefined && this.#isSmaller(a, b) ? right : left;
      if (!this.#swapIfSmaller(index, larger)) return;
      index = larger;
    }
  }

  /** Exchanges two places of the heap if the upper one holds the smaller; says whether it did. */
  #swapIfSmaller(upper: number, lower: number): boolean {
    const heap = this.#heap;
    const { [upper]: above, [lower]: below } = heap;
    if (above === undefined || below === undefined || !this.#isSmaller(above, below)) return false;
    heap[upper] = below;
    heap[lower] = above;
    return true;
  }
}
