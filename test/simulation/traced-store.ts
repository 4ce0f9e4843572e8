import { formatStamp, type Stamp, type ReplicaRecord } from "@meridian/protocol";
import type { Done } from "@meridian/replication";
import { MemoryReplicaStore } from "@meridian/testkit";

/** Knows writes by the stamp that they were made with, whatever stamps they were given later. */
export class WriteNames {
  readonly #names = new Map<string, string>();

  nameOf(stamp: Stamp): string {
    const text = formatStamp(stamp);
    return this.#names.get(text) ?? text;
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
    super.append(record, done);
  }
}
