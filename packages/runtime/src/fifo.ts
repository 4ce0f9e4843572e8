/** A queue: first in, first out. Adding and removing take constant time on average, and what is removed is not held any longer. */
export class Fifo<Item> {
  /** Those before `#start` have been removed, and are undefined. */
  #items: (Item | undefined)[] = [];
  #start = 0;

  get length(): number {
    return this.#items.length - this.#start;
  }

  push(item: Item): void {
    this.#items.push(item);
  }

  /** The item that so many others stand before. */
  at(index: number): Item | undefined {
    return index < 0 ? undefined : this.#items[this.#start + index];
  }

  /** Removes the first item. */
  shift(): Item | undefined {
    if (this.length === 0) return undefined;
    const first = this.#items[this.#start];
    this.#items[this.#start] = undefined;
    this.#start += 1;
    // Shifting an array is linear; doing it once in a while makes it constant on average.
    if (this.#start >= 64 && this.#start * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#start);
      this.#start = 0;
    }
    return first;
  }

  /** Removes all items, and returns them. */
  takeAll(): readonly Item[] {
    const items = this.#items.slice(this.#start) as readonly Item[];
    this.#items = [];
    this.#start = 0;
    return items;
  }
}
