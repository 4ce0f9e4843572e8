/**
 * A node's side of the horizon: when it adopts the directory's, what it does not take in, and what it gives up.
 *
 * A horizon travels in the order of the log. Whatever is ordered after the sequence that it is announced with was
 * admitted under it, so a node that has everything before that, and nothing of its own to send that is as old, may
 * adopt it: from then on, what is that old and not here was deleted, and this node may say so.
 *
 * - An entry that comes in, is as old as this node's horizon, and means something of which this node has nothing was
 *   deleted once, and comes from a directory that has lost that: it is buried, for everyone.
 * - A burial of what this node holds live, or of something newer, is the cluster's word that it was deleted while the node
 *   was away too long: what the node holds goes into the quarantine.
 */
import type { EntryMark, ReplicaStore } from "@meridian/ports";
import {
  burial,
  BURIAL_ORIGIN,
  isLive,
  isPurgeable,
  replaces,
  type Entry,
} from "@meridian/protocol";

/** The entries of a frame, sorted by what becomes of them. */
export interface Screened {
  /** What is taken in. */
  readonly kept: readonly Entry[];
  /** The burials that go to the log in place of the entries that are not taken in. */
  readonly offered: readonly Entry[];
  /** The live entries of the store that burials replace. */
  readonly quarantined: readonly Entry[];
}

/** The part of a store that this file reads. */
type HorizonStore = Pick<ReplicaStore, "horizon" | "get" | "peek">;

/** Decides when a node adopts a horizon, and sorts what comes in by it. */
export class ReplicaHorizon {
  readonly #store: HorizonStore;
  /** The highest horizon that this directory has announced, and the sequence from which on it holds. */
  #announced = { horizon: 0, at: 0 };
  /** The directory's horizon as the reconciliation began that is under way. */
  #reconcilingUnder: number | undefined;
  /** How far the directory's horizon stays behind the clock. */
  distanceMs: number = Infinity;

  constructor(store: HorizonStore) {
    this.#store = store;
  }

  /** A link to a directory is new, whose horizon stays `distanceMs` behind: nothing has been announced on it. */
  start(distanceMs: number): void {
    this.distanceMs = distanceMs;
    this.#announced = { horizon: 0, at: 0 };
    this.#reconcilingUnder = undefined;
  }

  /** A reconciliation with a directory of that horizon begins. Returns the horizon to compare under. */
  reconcile(horizon: number): number {
    this.#reconcilingUnder = horizon;
    return Math.max(horizon, this.#store.horizon);
  }

  /** The reconciliation is over. */
  settle(): void {
    this.#reconcilingUnder = undefined;
  }

  announce(horizon: number, at: number): void {
    if (horizon > this.#announced.horizon) this.#announced = { horizon, at };
  }

  /**
   * The horizon to adopt by a node that is settled, has applied the log through `applied` and sends nothing below
   * `lowestTime` any more; undefined for none.
   */
  due(applied: number, lowestTime: number): number | undefined {
    const { horizon, at } = this.#announced;
    const isDue = horizon > this.#store.horizon && applied >= at && lowestTime > horizon;
    return isDue ? horizon : undefined;
  }

  /**
   * Sorts incoming entries. Returns undefined if all of them are taken in, which is nearly always so. An entry that has expired by `expiredByMs` does
   * not go into the quarantine.
   */
  screen(
    entries: readonly Entry[],
    isDonation: boolean,
    expiredByMs: number,
  ): Screened | undefined {
    const { horizon } = this.#store;
    const old = isDonation ? Math.max(horizon, this.#reconcilingUnder ?? 0) : horizon;
    const isNoteworthy = ({ stamp }: Entry): boolean =>
      stamp.time <= old || stamp.origin === BURIAL_ORIGIN;
    if (!entries.some(isNoteworthy)) return undefined;
    const kept: Entry[] = [];
    const offered: Entry[] = [];
    const quarantined: Entry[] = [];
    for (const entry of entries) {
      const held = this.#store.peek(entry.key);
      const instead = this.#instead(entry, held, isDonation);
      if (instead === undefined) kept.push(entry);
      else offered.push(instead);
      if (held !== undefined && buries(entry, held) && isLive(held, expiredByMs)) {
        quarantined.push(...this.#whole(held));
      }
    }
    return { kept, offered, quarantined };
  }

  /** The entry that goes to the log in place of `entry`; undefined if `entry` is taken in. */
  #instead(entry: Entry, held: EntryMark | undefined, isDonation: boolean): Entry | undefined {
    const { horizon } = this.#store;
    const under = Math.max(horizon, this.#reconcilingUnder ?? 0);
    const isHeldPurgeable = held === undefined || isPurgeable(held, under);
    if (!isHeldPurgeable) return undefined;
    // The comparison left out the node's own entry, which is nevertheless the newer one.
    if (isDonation && held !== undefined && replaces(held, entry)) {
      const [newer] = this.#whole(held);
      if (newer !== undefined) return newer;
    }
    if (entry.stamp.time > horizon || isPurgeable(entry, horizon)) return undefined;
    const grave = burial(entry.key, entry.stamp.time);
    const [newer = grave] = held !== undefined && replaces(held, grave) ? this.#whole(held) : [];
    return newer;
  }

  /** The entry with its value, unless the store has purged it meanwhile. */
  #whole({ key }: EntryMark): readonly Entry[] {
    const entry = this.#store.get(key);
    return entry === undefined ? [] : [entry];
  }
}

/** Whether `entry` is a burial of the version that is held, or of a newer one. */
function buries(entry: Entry, held: EntryMark): boolean {
  return (
    entry.stamp.origin === BURIAL_ORIGIN &&
    held.stamp.origin !== BURIAL_ORIGIN &&
    held.stamp.time <= entry.stamp.time
  );
}
