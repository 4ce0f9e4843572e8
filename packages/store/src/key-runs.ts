/**
 * Keys in order, of journal rows that come and go in order: the newest come last, and the oldest go first.
 *
 * What comes waits until it makes a run, which is sorted once and goes as a whole, after its last row. So a key costs its part of one small sort, and
 * nothing when it goes. A reader merges the runs. It passes over what has gone already, or comes again in another run.
 */
import { compareKeys } from "@meridian/protocol";
import { Fifo } from "@meridian/runtime";

/** How many keys make a run. */
const RUN_KEYS = 1_024;

/** What has a key. */
export interface Keyed {
  readonly key: string;
}

interface Run<Item> {
  /** The highest row that the items are from. */
  readonly through: number;
  /** Sorted by key. */
  readonly items: readonly Item[];
}

/** A place in a run. */
interface Head<Item> {
  readonly items: readonly Item[];
  at: number;
  item: Item;
}

/** The items of rows, in the order of their keys. */
export class KeyRuns<Item extends Keyed> {
  readonly #runs = new Fifo<Run<Item>>();
  /** Items that are no run yet, and their highest row. */
  #waiting: Item[] = [];
  #waitingThrough = 0;

  /** Adds items of a row. */
  add(row: number, items: readonly Item[]): void {
    for (const item of items) {
      this.#waiting.push(item);
      this.#waitingThrough = Math.max(this.#waitingThrough, row);
      if (this.#waiting.length === RUN_KEYS) this.#makeRun();
    }
  }

  /** The rows through `row` are gone: their items may be forgotten. */
  drop(row: number): void {
    for (let run = this.#runs.at(0); run !== undefined && run.through <= row;) {
      this.#runs.shift();
      run = this.#runs.at(0);
    }
  }

  /**
   * The items with keys after `after` (null: from the start) in the order of the keys, those of gone rows included, some of them more than once. Nothing may be
   * added or dropped meanwhile.
   */
  *after(after: string | null): Generator<Item, void, undefined> {
    const heads: Head<Item>[] = [];
    for (let index = 0; index < this.#runs.length; index += 1) {
      addHead(heads, this.#runs.at(index)?.items ?? [], after);
    }
    addHead(heads, this.#waiting.sort(byKey), after);
    for (let index = heads.length >>> 1; index >= 0; index -= 1) sink(heads, index);
    for (let first = heads[0]; first !== undefined; first = heads[0]) {
      yield first.item;
      first.at += 1;
      const next = first.items[first.at];
      if (next !== undefined) first.item = next;
      else {
        const last = heads.pop();
        if (last !== undefined && last !== first) heads[0] = last;
      }
      sink(heads, 0);
    }
  }

  #makeRun(): void {
    this.#runs.push({ through: this.#waitingThrough, items: this.#waiting.sort(byKey) });
    this.#waiting = [];
    this.#waitingThrough = 0;
  }
}

function byKey(a: Keyed, b: Keyed): number {
  return compareKeys(a.key, b.key);
}

/** Adds the place of the first item after `after`, if there is one. */
function addHead<Item extends Keyed>(
  heads: Head<Item>[],
  items: readonly Item[],
  after: string | null,
): void {
  let low = 0;
  for (let high = items.length; after !== null && low < high;) {
    const middle = (low + high) >>> 1;
    if (compareKeys(items[middle]?.key ?? "", after) <= 0) low = middle + 1;
    else high = middle;
  }
  const item = items[low];
  if (item !== undefined) heads.push({ items, at: low, item });
}

/** Moves a place down a heap until none below it has a lower key. */
function sink<Item extends Keyed>(heads: Head<Item>[], from: number): void {
  for (let index = from; ;) {
    const head = heads[index];
    let least = 2 * index + 1;
    let child = heads[least];
    const other = heads[least + 1];
    if (child === undefined || head === undefined) return;
    if (other !== undefined && compareKeys(other.item.key, child.item.key) < 0) {
      least += 1;
      child = other;
    }
    if (compareKeys(head.item.key, child.item.key) <= 0) return;
    heads[index] = child;
    heads[least] = head;
    index = least;
  }
}
