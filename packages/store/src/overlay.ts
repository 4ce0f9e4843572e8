/**
 * The overlay: the newest entry of every key that the journal has and the table may not. Reads look here first.
 *
 * It has two layers. `appended` holds what others wrote and is not yet durable; a failed commit empties it whole.
 * `committed` holds what is durable, applied in the order of the journal, until the row is folded.
 *
 * Journal entries are not compared with the table when they are appended, so an entry here may be older than the table's.
 * The first read that compares the two settles it: either the overlay's entry goes, or it is marked as settled
 * and wins from then on. A restamp settles its key at once: it replaces an entry with a newer stamp.
 * Invariant: a settled entry is what the table will hold once every row through its own is folded.
 */
import { compareKeys, compareStamps, type Entry, type Stamp } from "@meridian/protocol";
import { Fifo } from "@meridian/runtime";

import { KeyMap } from "./key-map.ts";
import { SortedKeys } from "./sorted-keys.ts";

/** Up to this many keys are sorted when a scan asks for them. Of more keys, the order is maintained until they are few again. */
const SORTED_FROM = 4_096;
const SORTED_TO = 1_024;

/** An entry that the journal has and the table may not. */
export interface Overlaid {
  readonly entry: Entry;
  /** Whether the entry is known to win over the table's. */
  readonly settled: boolean;
}

interface Slot {
  readonly entry: Entry;
  /** The journal row that it came with. */
  readonly id: number;
  settled: boolean;
}

interface Row {
  readonly id: number;
  readonly entries: readonly Entry[];
  readonly bytes: number;
}

/** The part of a replica's data that is not in the table yet. */
export class Overlay {
  readonly #stampOf: (key: string) => Stamp | undefined;
  readonly #appended = new KeyMap<Slot>();
  readonly #committed = new KeyMap<Slot>();
  /** The keys of both layers, while they are many. */
  #sorted: SortedKeys | undefined;
  readonly #rows = new Fifo<Row>();
  /** The entries of journal rows that are durable and not folded. */
  unfoldedEntries = 0;
  /** Their bytes in the journal. */
  unfoldedBytes = 0;

  /** `stampOf` tells the stamp that the table has for a key. */
  constructor(stampOf: (key: string) => Stamp | undefined) {
    this.#stampOf = stampOf;
  }

  /** Makes entries readable that are not durable yet. */
  append(id: number, entries: readonly Entry[]): void {
    for (const entry of entries) {
      const slot = this.#appended.get(entry.key);
      if (slot === undefined || compareStamps(entry.stamp, slot.entry.stamp) > 0) {
        this.#appended.set(entry.key, { entry, id, settled: false });
        if (slot === undefined) this.#sorted?.add(entry.key);
      }
    }
    this.#keepOrder();
  }

  /** Applies a journal row that is durable. `replaced` makes it a restamp. */
  commit(
    row: { readonly id: number; readonly bytes: number },
    entries: readonly Entry[],
    replaced?: readonly Stamp[],
  ): void {
    const { id, bytes } = row;
    for (const [index, entry] of entries.entries()) {
      const old = replaced?.[index];
      if (old !== undefined && this.#holds(entry.key, old)) {
        this.#committed.set(entry.key, { entry, id, settled: true });
        this.#sorted?.add(entry.key);
      } else {
        this.#merge(id, entry);
      }
      if (this.#appended.size > 0 && this.#appended.get(entry.key)?.id === id) {
        this.#appended.delete(entry.key);
      }
    }
    this.#rows.push({ id, entries, bytes });
    this.unfoldedEntries += entries.length;
    this.unfoldedBytes += bytes;
    this.#keepOrder();
  }

  /** Estimates how many of its keys the table lacks, from `sampleMax` of them. */
  newKeys(sampleMax: number): number {
    let [seen, fresh] = [0, 0];
    for (const key of this.#committed.keys()) {
      if (seen === sampleMax) break;
      seen += 1;
      if (this.#stampOf(key) === undefined) fresh += 1;
    }
    return seen === 0 ? 0 : Math.round((fresh / seen) * this.#committed.size);
  }

  /** Forgets what is not durable. */
  forgetAppended(): void {
    for (const key of this.#appended.keys()) {
      if (!this.#committed.has(key)) this.#sorted?.delete(key);
    }
    this.#appended.clear();
    this.#keepOrder();
  }

  /**
   * Drops the entries of the rows through `through`, which the table has now: no more rows after those that hold `entriesMax` entries. Returns
   * how many entries that were; the rows are all dropped where it returns fewer than `entriesMax`.
   */
  drop(through: number, entriesMax: number = Infinity): number {
    let entries = 0;
    while (entries < entriesMax) {
      const row = this.#rows.at(0);
      if (row === undefined || row.id > through) break;
      this.#rows.shift();
      entries += row.entries.length;
      this.unfoldedEntries -= row.entries.length;
      this.unfoldedBytes -= row.bytes;
      for (const { key } of row.entries) {
        if (this.#committed.get(key)?.id === row.id) this.#uncommit(key);
      }
    }
    this.#keepOrder();
    return entries;
  }

  /** The newest entry of `key` in the overlay. */
  find(key: string): Overlaid | undefined {
    if (this.#committed.size === 0 && this.#appended.size === 0) return undefined;
    const appended = this.#appended.get(key);
    const committed = this.#committed.get(key);
    if (appended === undefined) return committed;
    if (committed === undefined) return appended;
    if (compareStamps(appended.entry.stamp, committed.entry.stamp) <= 0) return committed;
    return { entry: appended.entry, settled: committed.settled };
  }

  /** Remembers how the newest of the overlay compares with what the table has for the key. */
  settle(key: string, stored: Stamp | undefined): void {
    const slot = this.#committed.get(key);
    if (slot === undefined || slot.settled) return;
    if (stored !== undefined && compareStamps(stored, slot.entry.stamp) > 0) this.#uncommit(key);
    else slot.settled = true;
  }

  /** The keys after `after` (null: from the start) and through `through` (null: to the end), in order; at most `limit`. */
  keysBetween(after: string | null, through: string | null, limit: number): string[] {
    const keys: string[] = [];
    for (const key of this.#sorted?.after(after) ?? this.#keysAfter(after)) {
      if (keys.length === limit || (through !== null && compareKeys(key, through) > 0)) break;
      keys.push(key);
    }
    return keys;
  }

  /** Likewise, by looking at all keys: while they are few, or once when they have become many. */
  #keysAfter(after: string | null): string[] {
    const keys = new Set<string>();
    for (const layer of [this.#committed, this.#appended]) {
      for (const key of layer.keys()) {
        if (after === null || compareKeys(key, after) > 0) keys.add(key);
      }
    }
    return [...keys].sort(compareKeys);
  }

  #uncommit(key: string): void {
    this.#committed.delete(key);
    if (!this.#appended.has(key)) this.#sorted?.delete(key);
  }

  #keepOrder(): void {
    const keys = this.#committed.size + this.#appended.size;
    if (this.#sorted === undefined) {
      if (keys > SORTED_FROM) this.#sorted = new SortedKeys(this.#keysAfter(null));
    } else if (keys < SORTED_TO) this.#sorted = undefined;
  }

  #merge(id: number, entry: Entry): void {
    const slot = this.#committed.get(entry.key);
    if (slot === undefined) {
      this.#committed.set(entry.key, { entry, id, settled: false });
      this.#sorted?.add(entry.key);
    } else if (compareStamps(entry.stamp, slot.entry.stamp) > 0) {
      this.#committed.set(entry.key, { entry, id, settled: slot.settled });
    }
  }

  /** Whether `stamp` is that of the newest durable entry of `key`. */
  #holds(key: string, stamp: Stamp): boolean {
    const slot = this.#committed.get(key);
    if (slot?.settled === true) return compareStamps(slot.entry.stamp, stamp) === 0;
    const stored = this.#stampOf(key);
    if (slot === undefined) return stored !== undefined && compareStamps(stored, stamp) === 0;
    const newer = stored !== undefined && compareStamps(stored, slot.entry.stamp) > 0;
    return compareStamps(newer ? stored : slot.entry.stamp, stamp) === 0;
  }
}
