/**
 * The overlay: the newest entry of every key that the journal has and the table may not. Reads look here first.
 *
 * Of each key it has one slot with two places. `appended` is the newest entry that others wrote and that is not yet durable; a failed commit
 * empties this place of all slots. `committed` is the newest durable entry, in the order of the journal, until its row is folded. A row keeps
 * the slots of its entries, so that a key is looked up once, when its row is appended, and not again when the row becomes durable and is folded.
 *
 * Journal entries are not compared with the table when they are appended, so an entry here may be older than the table's.
 * The first read that compares the two settles it: either the overlay's entry goes, or it is marked as settled
 * and wins from then on. A restamp settles its key at once: it replaces an entry with a newer stamp.
 * Invariant: a settled entry is what the table will hold once every row through its own is folded.
 */
import { compareKeys, compareStamps, type Entry, type Stamp } from "@meridian/protocol";
import { Fifo } from "@meridian/runtime";

import { KeyMap } from "./key-map.ts";
import { KeyRuns } from "./key-runs.ts";

/** Up to this many keys are sorted by each scan. Of more keys, the order is kept until they are few again. */
const SORTED_FROM = 4_096;
const SORTED_TO = 1_024;

/** An entry that the journal has and the table may not. */
export interface Overlaid {
  readonly entry: Entry;
  /** Whether the entry is known to win over the table's. */
  readonly settled: boolean;
}

/** Invariant: a slot is in the map exactly while it has an entry, and then a row has it, too. */
interface Slot {
  readonly key: string;
  /** The newest durable entry, and the journal row that it came with. */
  committed: Entry | undefined;
  id: number;
  /** Whether `committed` is settled. */
  settled: boolean;
  /** The newest entry that is not durable, and its row. */
  appended: Entry | undefined;
  appendedId: number;
}

/** A row of the journal. */
interface Row {
  readonly id: number;
  readonly slots: readonly Slot[];
  readonly bytes: number;
}

/** The part of a replica's data that is not in the table yet. */
export class Overlay {
  readonly #stampOf: (key: string) => Stamp | undefined;
  readonly #slots = new KeyMap<Slot>();
  /** How many slots have a durable entry. */
  #committed = 0;
  /** The rows of others that are not durable, and the durable ones. */
  readonly #appended = new Fifo<Pick<Row, "id" | "slots">>();
  readonly #rows = new Fifo<Row>();
  /** The slots of all rows in order, while they are many. */
  #ordered: KeyRuns<Slot> | undefined;
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
    if (entries.length === 0) return;
    const slots = entries.map((entry) => {
      const slot = this.#slots.obtain(entry.key, slotOf);
      if (slot.appended === undefined || compareStamps(entry.stamp, slot.appended.stamp) > 0) {
        slot.appended = entry;
        slot.appendedId = id;
      }
      return slot;
    });
    this.#appended.push({ id, slots });
    this.#order(id, slots);
  }

  /** Applies a journal row that is durable. `replaced` makes it a restamp. */
  commit(
    row: { readonly id: number; readonly bytes: number },
    entries: readonly Entry[],
    replaced?: readonly Stamp[],
  ): void {
    const { id, bytes } = row;
    const appended = this.#appended.at(0)?.id === id ? this.#appended.shift() : undefined;
    const slots = entries.map((entry, index) =>
      this.#commitEntry(id, entry, appended?.slots[index], replaced?.[index]),
    );
    this.#rows.push({ id, slots, bytes });
    this.unfoldedEntries += entries.length;
    this.unfoldedBytes += bytes;
    this.#order(
      id,
      slots.filter((slot, index) => slot !== appended?.slots[index]),
    );
  }

  /** Estimates how many of its keys the table lacks, from `sampleMax` of them. */
  newKeys(sampleMax: number): number {
    let [seen, fresh] = [0, 0];
    for (const { key, committed } of this.#slots.values()) {
      if (seen === sampleMax) break;
      if (committed === undefined) continue;
      seen += 1;
      if (this.#stampOf(key) === undefined) fresh += 1;
    }
    return seen === 0 ? 0 : Math.round((fresh / seen) * this.#committed);
  }

  /** Forgets what is not durable. */
  forgetAppended(): void {
    for (const { slots } of this.#appended.takeAll()) {
      for (const slot of slots) {
        // The slot may have lost its entry, and another one have it, since a newer entry of the key was folded.
        if (slot.appended === undefined) continue;
        slot.appended = undefined;
        if (slot.committed === undefined) this.#slots.delete(slot.key);
      }
    }
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
      this.#ordered?.drop(row.id);
      entries += row.slots.length;
      this.unfoldedBytes -= row.bytes;
      for (const slot of row.slots) if (slot.id === row.id) this.#uncommit(slot);
    }
    this.unfoldedEntries -= entries;
    if (this.#slots.size < SORTED_TO) this.#ordered = undefined;
    return entries;
  }

  /** The newest entry of `key` in the overlay. */
  find(key: string): Overlaid | undefined {
    if (this.#slots.size === 0) return undefined;
    const slot = this.#slots.get(key);
    const entry = slot === undefined ? undefined : newestOf(slot);
    return slot === undefined || entry === undefined ? undefined : { entry, settled: slot.settled };
  }

  /** Remembers how the newest of the overlay compares with what the table has for the key. */
  settle(key: string, stored: Stamp | undefined): void {
    const slot = this.#slots.get(key);
    if (slot?.committed === undefined || slot.settled) return;
    if (stored !== undefined && compareStamps(stored, slot.committed.stamp) > 0) {
      this.#uncommit(slot);
    } else slot.settled = true;
  }

  /** The keys after `after` (null: from the start) and through `through` (null: to the end), in order; at most `limit`. */
  keysBetween(after: string | null, through: string | null, limit: number): string[] {
    const keys: string[] = [];
    for (const slot of this.#ordered?.after(after) ?? this.#slotsAfter(after)) {
      const { key } = slot;
      if (keys.length === limit || (through !== null && compareKeys(key, through) > 0)) break;
      if (newestOf(slot) !== undefined && key !== keys.at(-1)) keys.push(key);
    }
    return keys;
  }

  /** Likewise, by looking at all slots, which are few. */
  #slotsAfter(after: string | null): Slot[] {
    const slots: Slot[] = [];
    for (const slot of this.#slots.values()) {
      if (after === null || compareKeys(slot.key, after) > 0) slots.push(slot);
    }
    return slots.sort((a, b) => compareKeys(a.key, b.key));
  }

  /** Puts slots of a row in order, if there are many slots; all slots, once they have become many. */
  #order(id: number, slots: readonly Slot[]): void {
    if (this.#ordered !== undefined) this.#ordered.add(id, slots);
    else if (this.#slots.size > SORTED_FROM) {
      this.#ordered = new KeyRuns();
      this.#ordered.add(id, [...this.#slots.values()]);
    }
  }

  /** Applies an entry. `known` is its slot, or was it: a slot that has lost its last entry is not in the map any more. Returns its slot. */
  #commitEntry(id: number, entry: Entry, known: Slot | undefined, replaced?: Stamp): Slot {
    const isHeld = known !== undefined && newestOf(known) !== undefined;
    const slot = isHeld ? known : this.#slots.obtain(entry.key, slotOf);
    const { committed } = slot;
    if (replaced !== undefined && this.#holds(slot, entry.key, replaced)) {
      this.#put(slot, id, entry);
      slot.settled = true;
    } else if (committed === undefined || compareStamps(entry.stamp, committed.stamp) > 0) {
      this.#put(slot, id, entry);
    }
    if (slot.appendedId === id) slot.appended = undefined;
    return slot;
  }

  #put(slot: Slot, id: number, entry: Entry): void {
    if (slot.committed === undefined) this.#committed += 1;
    slot.committed = entry;
    slot.id = id;
  }

  #uncommit(slot: Slot): void {
    if (slot.committed === undefined) return;
    this.#committed -= 1;
    slot.committed = undefined;
    slot.settled = false;
    if (slot.appended === undefined) this.#slots.delete(slot.key);
  }

  /** Whether `stamp` is that of the newest durable entry of `key`. */
  #holds({ committed, settled }: Slot, key: string, stamp: Stamp): boolean {
    if (committed !== undefined && settled) return compareStamps(committed.stamp, stamp) === 0;
    const stored = this.#stampOf(key);
    if (committed === undefined) return stored !== undefined && compareStamps(stored, stamp) === 0;
    const newer = stored !== undefined && compareStamps(stored, committed.stamp) > 0;
    return compareStamps(newer ? stored : committed.stamp, stamp) === 0;
  }
}

function slotOf(key: string): Slot {
  return { key, committed: undefined, id: 0, settled: false, appended: undefined, appendedId: 0 };
}

function newestOf({ committed, appended }: Slot): Entry | undefined {
  if (appended === undefined || committed === undefined) return appended ?? committed;
  return compareStamps(appended.stamp, committed.stamp) > 0 ? appended : committed;
}
