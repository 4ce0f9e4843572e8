import type { Done } from "@meridian/ports";
import {
  BURIAL_ORIGIN,
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

/** Names for stamps, and back: they are asked for often, so each is made once. */
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

/** Knows writes by the stamp that they were made with, whatever stamps they were given later. */
export class WriteNames {
  readonly #texts = new StampNames();
  readonly #names = new Map<string, string>();
  /** The last stamp given to a write that was given another than its first. */
  readonly #stamps = new Map<string, Stamp>();
  /** The write that has taken the place of another one before anyone else saw that: they share what stamps come. */
  readonly #successors = new Map<string, string>();
  /** What each write has replaced at its node. */
  readonly #replaced = new Map<string, string>();
  /** The newest stamp ever given to a write of each key, acknowledged or not. */
  readonly #newest = new Map<string, Stamp>();

  /** The stamp that the write of that name has now. */
  stampOf(name: string): Stamp {
    const last = this.lastOf(name);
    return this.#stamps.get(last) ?? this.#texts.stampOf(last);
  }

  /** The write that has taken the place of the write of that name in its frame, or that name itself. */
  lastOf(name: string): string {
    let last = name;
    for (let next = this.#successors.get(name); next !== undefined && next !== name;) {
      last = next;
      next = this.#successors.get(next);
    }
    return last;
  }

  /** Takes note of a write, acknowledged or not. */
  note({ key, stamp }: Entry): void {
    const known = this.#newest.get(key);
    if (stamp.origin === BURIAL_ORIGIN) return;
    if (known === undefined || compareStamps(stamp, known) > 0) this.#newest.set(key, stamp);
  }

  /** Whether no write of the key was given a newer stamp than this one. */
  isNewest(key: string, stamp: Stamp): boolean {
    const newest = this.#newest.get(key);
    return newest === undefined || compareStamps(stamp, newest) >= 0;
  }

  nameOf(stamp: Stamp): string {
    const text = this.#texts.nameOf(stamp);
    return this.#names.get(text) ?? text;
  }

  rename(old: Stamp, stamp: Stamp): void {
    const name = this.nameOf(old);
    this.#names.set(this.#texts.nameOf(stamp), name);
    this.#stamps.set(name, stamp);
  }

  /**
   * A write that one with another stamp has taken the place of, before anyone else saw it. Where an earlier frame has given it another
   * stamp than `old`, it is out, or on its way, with that one.
   */
  supersede(old: Stamp, stamp: Stamp): void {
    const [name, by] = [this.nameOf(old), this.nameOf(stamp)];
    const given = this.#stamps.get(name);
    const isOut = given !== undefined && compareStamps(given, old) !== 0;
    if (name !== by && !isOut) this.#successors.set(name, by);
  }

  /** A node has written something over something else. */
  replace(old: Stamp, stamp: Stamp): void {
    this.#replaced.set(this.nameOf(stamp), this.nameOf(old));
  }

  /** Whether an entry is the write of that name, or newer: by its stamp, or because it was written over it. */
  isAtLeast(stamp: Stamp, name: string): boolean {
    if (compareStamps(stamp, this.stampOf(name)) >= 0) return true;
    for (let over: string | undefined = this.nameOf(stamp); over !== undefined;) {
      if (over === name) return true;
      over = this.#replaced.get(over);
    }
    return false;
  }
}

/**
 * A store that tells which writes have been given new stamps. Its outbox is read in small portions, and its
 * process may die between a commit and its answer.
 */
export class TracedStore extends MemoryReplicaStore {
  names: WriteNames | undefined;
  /** Called with each write that the node stamps. */
  onMade: (entry: Entry) => void = () => {};
  /** Called between a commit and its answer; returns whether the process is still there to hear it. */
  onStep: () => boolean = () => true;
  /** Called with each entry that gets a new stamp, as it was and as it is. */
  onRestamped: (old: Entry, renewed: Entry) => void = () => {};
  #restamps = 0;

  /** While a node gives its writes new stamps, what has replaced one may have a lower stamp than it for a moment. */
  get isRestamping(): boolean {
    return this.#restamps > 0;
  }

  override append(record: ReplicaRecord, done: Done): void {
    if (record.kind === "restamp") {
      this.#rename(record);
      this.#restamps += 1;
    }
    if (record.kind === "local") this.#noteReplaced(record.entries);
    super.append(record, (failure) => {
      if (this.onStep()) done(failure);
      if (record.kind === "restamp") this.#restamps -= 1;
    });
  }

  override outboxAfter(position: number, bytesMax: number): readonly OutboxFrame[] {
    return super.outboxAfter(position, Math.min(bytesMax, BOUNDS.readBytes));
  }

  #noteReplaced(entries: readonly Entry[]): void {
    const written = new Map<string, Entry>();
    for (const entry of entries) {
      const current = written.get(entry.key) ?? this.get(entry.key);
      const isResubmitted = current !== undefined && !replaces(entry, current);
      if (current !== undefined && !isResubmitted) this.names?.replace(current.stamp, entry.stamp);
      written.set(entry.key, entry);
      if (!isResubmitted) this.onMade(entry);
      this.names?.note(entry);
    }
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
      // Another write of the key has taken its place in the frame: from here on they have the same stamps.
      if (old !== undefined && first !== undefined && compareStamps(first, old) !== 0) {
        this.names?.supersede(first, stamp);
      }
    }
  }
}
