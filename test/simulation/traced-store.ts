import type { Done } from "@meridian/ports";
import {
  compareStamps,
  decodeBlock,
  replaces,
  type Entry,
  type OutboxFrame,
  type ReplicaRecord,
  type Stamp,
} from "@meridian/protocol";
import { MemoryReplicaStore } from "@meridian/testkit";

import { BOUNDS } from "./bounds.ts";

/** Converts stamps to names and back. Each name is made once, because names are needed often. */
class StampNames {
  readonly #names = new Map<number, Map<number, string>>();
  readonly #stamps = new Map<string, Stamp>();

  nameOf(stamp: Stamp): string {
    let ofOrigin = this.#names.get(stamp.origin);
    if (ofOrigin === undefined) this.#names.set(stamp.origin, (ofOrigin = new Map()));
    let name = ofOrigin.get(stamp.time);
    if (name === undefined) {
      name = `${stamp.time}-${stamp.origin}`;
      ofOrigin.set(stamp.time, name);
      this.#stamps.set(name, stamp);
    }
    return name;
  }

  stampOf(name: string): Stamp {
    const stamp = this.#stamps.get(name);
    if (stamp === undefined) throw new Error(`Expected the name of a stamp, got \`${name}\``);
    return stamp;
  }
}

/** Names each write by its first stamp, whatever stamps it gets later. */
export class WriteNames {
  readonly #texts = new StampNames();
  readonly #names = new Map<string, string>();
  /** By name: the present stamp of a write that has got another one than its first. */
  readonly #stamps = new Map<string, Stamp>();
  /** By name: the lowest stamp that such a write has got. One that is in an outbox twice may get two, and the log may have either. */
  readonly #lowest = new Map<string, Stamp>();
  /** By name: the write that has taken the place of this one in its frame, before another party saw it. Later stamps count for both. */
  readonly #successors = new Map<string, string>();
  /** By name: the write that this one has replaced at its node. */
  readonly #replaced = new Map<string, string>();
  /** Stamps under which nodes have written what they held once more, above ones that were taken back. */
  readonly #raised = new Set<string>();
  /** The stamps that nodes have taken back, by their times. */
  readonly #takenBack = new Map<number, Stamp>();

  /** The present stamp of the write `name`. */
  stampOf(name: string): Stamp {
    const last = this.lastOf(name);
    return this.#stamps.get(last) ?? this.#texts.stampOf(last);
  }

  /** The name of the write that has taken the place of the write `name` in its frame, or `name` itself. */
  lastOf(name: string): string {
    let last = name;
    for (let next = this.#successors.get(name); next !== undefined && next !== name;) {
      last = next;
      next = this.#successors.get(next);
    }
    return last;
  }

  nameOf(stamp: Stamp): string {
    const text = this.#texts.nameOf(stamp);
    return this.#names.get(text) ?? text;
  }

  /** Whether a stamp is one that a node gives to what it writes above a stamp that was taken back. */
  isAboveTakenBack(stamp: Stamp): boolean {
    const takenBack = this.#takenBack.get(stamp.time);
    return takenBack !== undefined && compareStamps(stamp, takenBack) > 0;
  }

  rename(old: Stamp, stamp: Stamp): void {
    if (compareStamps(old, stamp) !== 0) this.#takenBack.set(old.time, old);
    const name = this.nameOf(old);
    this.#names.set(this.#texts.nameOf(stamp), name);
    this.#stamps.set(name, stamp);
    const lowest = this.#lowest.get(name);
    if (lowest === undefined || compareStamps(stamp, lowest) < 0) this.#lowest.set(name, stamp);
  }

  /** Records that the write with stamp `old`, which stays what it is for who holds it, was written once more with the higher stamp `stamp`. */
  raise(old: Stamp, stamp: Stamp): void {
    const name = this.nameOf(old);
    this.#raised.add(this.#texts.nameOf(stamp));
    this.#names.set(this.#texts.nameOf(stamp), name);
    this.#stamps.set(name, stamp);
    if (!this.#lowest.has(name)) this.#lowest.set(name, old);
  }

  /** Whether `raise` was called with that stamp. What the node did not hold then loses to it. */
  isRaised(stamp: Stamp): boolean {
    return this.#raised.has(this.#texts.nameOf(stamp));
  }

  /**
   * Records that the write with `stamp` has taken the place of the write with `old`, before another party saw that one. If an earlier frame has
   * given the old write another stamp than `old`, other parties may have it with that stamp, and nothing is recorded.
   */
  supersede(old: Stamp, stamp: Stamp): void {
    const [name, by] = [this.nameOf(old), this.nameOf(stamp)];
    const given = this.#stamps.get(name);
    const isOut = given !== undefined && compareStamps(given, old) !== 0;
    if (name !== by && !isOut) this.#successors.set(name, by);
  }

  /** Records that a node has replaced the write with stamp `old` by the write with `stamp`. */
  replace(old: Stamp, stamp: Stamp): void {
    this.#replaced.set(this.nameOf(stamp), this.nameOf(old));
  }

  /** The lowest stamp that the write `name` has got after its first; undefined if it has got none. */
  lowestOf(name: string): Stamp | undefined {
    return this.#lowest.get(name);
  }

  /** Whether the entry with `stamp` is the write `name` or newer: by its stamp, or because it has replaced that write. */
  isAtLeast(stamp: Stamp, name: string): boolean {
    return this.isAnyAtLeast([stamp], name);
  }

  /** Whether `isAtLeast` holds for one of the stamps. The stamps themselves are compared first: following what writes have replaced takes long. */
  isAnyAtLeast(stamps: readonly Stamp[], name: string): boolean {
    const given = this.#lowest.get(this.lastOf(name)) ?? this.stampOf(name);
    if (stamps.some((stamp) => compareStamps(stamp, given) >= 0)) return true;
    return stamps.some((stamp) => this.#hasReplaced(stamp, name));
  }

  #hasReplaced(stamp: Stamp, name: string): boolean {
    for (let over: string | undefined = this.nameOf(stamp); over !== undefined;) {
      if (over === name) return true;
      over = this.#replaced.get(over);
    }
    return false;
  }
}

/**
 * A store that reports which writes get new stamps. Its outbox is read in small portions, and its
 * process may die between a commit and its answer.
 */
export class TracedStore extends MemoryReplicaStore {
  names: WriteNames | undefined;
  /** Called with each write that the node stamps. */
  onMade: (entry: Entry) => void = () => {};
  /** Called with each delete that the node writes, without being asked, above a stamp that was taken back. */
  onBuried: (entry: Entry) => void = () => {};
  /** Called with the writes of a record that the disk has refused. */
  onRefused: (entries: readonly Entry[]) => void = () => {};
  /** Called when the store has committed a record. */
  onCommitted: (record: ReplicaRecord) => void = () => {};
  /** Called with each entry that stands behind a newer one of its key in one frame: re-stamped in the order of the frame, it would win. */
  onInverted: (entry: Entry) => void = () => {};
  /** Called between a commit and its answer; returns whether the process is still there to hear it. */
  onStep: () => boolean = () => true;
  /** Called with each entry that gets a new stamp: with the old entry and the new one. */
  onRestamped: (old: Entry, renewed: Entry) => void = () => {};
  #restamps = 0;
  #quarantining = 0;

  /** Whether the node is giving its writes new stamps. Meanwhile a write may have a lower stamp than the write that it has replaced. */
  get isRestamping(): boolean {
    return this.#restamps > 0;
  }

  /** Whether entries are on their way into the quarantine. The burials that replace them can be read already. */
  get isQuarantining(): boolean {
    return this.#quarantining > 0;
  }

  override append(record: ReplicaRecord, done: Done): void {
    const isQuarantine = record.kind === "remote" && record.quarantined !== undefined;
    if (isQuarantine) this.#quarantining += 1;
    if (record.kind === "restamp") {
      this.#rename(record);
      this.#restamps += 1;
    }
    let made: readonly Entry[] = [];
    if (record.kind === "local") {
      for (const entry of inverted(record.entries)) this.onInverted(entry);
      made = this.#noteReplaced(record.entries);
    }
    super.append(record, (failure) => {
      if (failure === undefined) this.onCommitted(record);
      else this.onRefused(made);
      if (this.onStep()) done(failure);
      if (record.kind === "restamp") this.#restamps -= 1;
      if (isQuarantine) this.#quarantining -= 1;
    });
  }

  override outboxAfter(position: number, bytesMax: number): readonly OutboxFrame[] {
    return super.outboxAfter(position, Math.min(bytesMax, BOUNDS.readBytes));
  }

  /** Returns what is not sent again, but new. */
  #noteReplaced(entries: readonly Entry[]): readonly Entry[] {
    const made: Entry[] = [];
    const written = new Map<string, Entry>();
    for (const entry of entries) {
      const current = written.get(entry.key) ?? this.get(entry.key);
      if (this.#isRaised(entry, current)) {
        if (current === undefined) this.onBuried(entry);
        else this.names?.raise(current.stamp, entry.stamp);
        written.set(entry.key, entry);
        continue;
      }
      const isResubmitted = current !== undefined && !replaces(entry, current);
      if (current !== undefined && !isResubmitted) this.names?.replace(current.stamp, entry.stamp);
      written.set(entry.key, entry);
      if (isResubmitted) continue;
      made.push(entry);
      this.onMade(entry);
    }
    return made;
  }

  /** Whether an entry is what was there already, or was gone, written above a stamp that was taken back. */
  #isRaised(entry: Entry, current: Entry | undefined): boolean {
    if (this.names?.isAboveTakenBack(entry.stamp) !== true) return false;
    if (current === undefined) return entry.deleted;
    const isSame = entry.deleted === current.deleted && entry.expiresAtMs === current.expiresAtMs;
    return isSame && replaces(entry, current) && equalBytes(entry.value, current.value);
  }

  #rename({ frame, entries, replaced }: Extract<ReplicaRecord, { kind: "restamp" }>): void {
    const [before] = super.outboxAfter(frame.position - 1, 1);
    const offered = before === undefined ? [] : decodeBlock(before.block, before.count);
    for (const [index, entry] of entries.entries()) {
      const { key, stamp } = entry;
      const old = replaced[index];
      const held = this.get(key);
      if (old !== undefined && held !== undefined && compareStamps(held.stamp, old) === 0) {
        this.onRestamped(held, entry);
      }
      const first = offered[index]?.stamp;
      if (old !== undefined) this.names?.rename(old, stamp);
      // Another write of the key has taken the place of this one in the frame: from here on both have the same stamps.
      if (old !== undefined && first !== undefined && compareStamps(first, old) !== 0) {
        this.names?.supersede(first, stamp);
      }
    }
  }
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

function inverted(entries: readonly Entry[]): readonly Entry[] {
  const newest = new Map<string, Entry>();
  return entries.filter((entry) => {
    const before = newest.get(entry.key);
    newest.set(entry.key, entry);
    return before !== undefined && compareStamps(entry.stamp, before.stamp) < 0;
  });
}
