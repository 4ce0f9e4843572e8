interface Place<Item> {
  readonly item: Item;
  next: Place<Item> | undefined;
}

/** Who waits, first in, first out. However many wait, adding one and taking one out are one step: an attack makes a line of thousands. */
export class Line<Item> {
  #first: Place<Item> | undefined;
  #last: Place<Item> | undefined;

  add(item: Item): void {
    const place = { item, next: undefined };
    if (this.#last === undefined) this.#first = place;
    else this.#last.next = place;
    this.#last = place;
  }

  /** Takes the first out; undefined if there is none. */
  take(): Item | undefined {
    const first = this.#first;
    if (first === undefined) return undefined;
    this.#first = first.next;
    if (this.#first === undefined) this.#last = undefined;
    return first.item;
  }
}
