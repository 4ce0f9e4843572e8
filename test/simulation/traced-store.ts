import {
  BURIAL_ORIGIN,
  compareStamps,
  formatStamp,
  type Entry,
  type ReplicaRecord,
  type Stamp,
} from "@meridian/protocol";
import type { Done } from "@meridian/replication";
import { MemoryReplicaStore } from "@meridian/testkit";

/** Knows writes by the stamp that they were made with, whatever stamps they were given later. */
export class WriteNames {
  readonly #names = new Map<string, string>();
  /** The newest stamp ever given to a write of each key, acknowledged or not. */
  readonly #newest = new Map<string, Stamp>();

  nameOf(stamp: Stamp): string {
    const text = formatStamp(stamp);
    return this.#names.get(text) ?? text;
  }

  /** Takes note of a write, acknowledged or not. */
  noteWritten({ key, stamp }: Entry): void {
    if (stamp.origin === BURIAL_ORIGIN) return;
    const known = this.#newest.get(key);
    if (known === undefined || compareStamps(stamp, known) > 0) this.#newest.set(key, stamp);
  }

  /** Whether no write of the key was given a newer stamp than this one. */
  isNewest(key: string, stamp: Stamp): boolean {
    const newest = this.#newest.get(key);
    return newest === undefined || compareStamps(stamp, newest) >= 0;
  }

  rename(old: Stamp, stamp: Stamp): void {
    this.#names.set(formatStamp(stamp), this.nameOf(old));
  }
}

/** A store that tells which writes have been given new stamps. */
export class TracedStore extends MemoryReplicaStore {
  names: WriteNames | undefined;

  override append(record: ReplicaRecord, done: Done): void {
    if (record.kind === "restamp") {
      for (const [index, { stamp }] of record.entries.entries()) {
        const old = record.replaced[index];
        if (old !== undefined) this.names?.rename(old, stamp);
      }
    }
    if (record.kind === "local") for (const entry of record.entries) this.names?.noteWritten(entry);
    super.append(record, done);
  }
}
