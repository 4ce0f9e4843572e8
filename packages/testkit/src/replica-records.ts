import type { ReplicaStore } from "@meridian/ports";
import {
  encodeBlock,
  highestTimeOf,
  type Cursor,
  type Entry,
  type Stamp,
  type OutboxFrame,
  type ReplicaRecord,
} from "@meridian/protocol";

/** Appends a record; resolves when it is durable. */
export function append(store: ReplicaStore, record: ReplicaRecord): Promise<void> {
  return new Promise((resolve, reject) => {
    store.append(record, (failure) => (failure === undefined ? resolve() : reject(failure)));
  });
}

/** A stamp. */
export function stamp(time: number, origin = 1): Stamp {
  return { time, origin };
}

/** An entry whose value contains its stamp. */
export function entry(key: string, time: number, origin = 1): Entry {
  return {
    key,
    value: new TextEncoder().encode(`${key}@${time}-${origin}`),
    contentType: "text/plain",
    stamp: stamp(time, origin),
    expiresAtMs: 0,
    deleted: false,
  };
}

/** The entry with attributes that contain its stamp. */
export function attributed(plain: Entry): Entry {
  const { time, origin } = plain.stamp;
  return { ...plain, attributes: new TextEncoder().encode(`\u0001\0${time}-${origin}`) };
}

/** The outbox frame of some entries. */
export function frameOf(position: number, entries: readonly Entry[]): OutboxFrame {
  const highestTime = highestTimeOf(entries);
  return { position, count: entries.length, highestTime, block: encodeBlock(entries) };
}

/** The record of a local write. */
export function local(
  position: number,
  entries: readonly Entry[],
): Extract<ReplicaRecord, { kind: "local" }> {
  return { kind: "local", frame: frameOf(position, entries), entries };
}

/** The record of entries of other nodes. */
export function remote(
  entries: readonly Entry[],
  cursor?: Cursor,
): Extract<ReplicaRecord, { kind: "remote" }> {
  const block = encodeBlock(entries);
  const highestTime = highestTimeOf(entries);
  const record = { kind: "remote", entries, block, highestTime } as const;
  return cursor === undefined ? record : { ...record, cursor };
}
