import {
  encodeBlock,
  highestTimeOf,
  type Entry,
  type MeridianError,
  type LogFrame,
  type ReplicaRecord,
} from "@meridian/protocol";
import type { ReplicaWrite } from "../src/writer-messages.ts";

/** An entry with a value of `valueBytes` bytes. */
export function entry(key: string, time: number, valueBytes = 8): Entry {
  return {
    key,
    value: new Uint8Array(valueBytes).fill(time % 251),
    contentType: "text/plain",
    stamp: { time, origin: 1 },
    expiresAtMs: 0,
    deleted: false,
  };
}

export function local(position: number, entries: readonly Entry[]): ReplicaRecord {
  const block = encodeBlock(entries);
  const highestTime = highestTimeOf(entries);
  return { kind: "local", frame: { position, count: entries.length, highestTime, block }, entries };
}

export function remote(entries: readonly Entry[], sequence?: number): ReplicaRecord {
  const block = encodeBlock(entries);
  const highestTime = highestTimeOf(entries);
  const record = { kind: "remote", entries, block, highestTime } as const;
  return sequence === undefined ? record : { ...record, cursor: { logId: 1, epoch: 1, sequence } };
}

export function frame(after: number, entries: readonly Entry[], position: number): LogFrame {
  return {
    after,
    through: after + entries.length,
    count: entries.length,
    highestTime: highestTimeOf(entries),
    incarnation: 7,
    position,
    block: encodeBlock(entries),
  };
}

/** A write of a node at a position of its outbox, as the writer thread gets it. */
export function localWrite(
  position: number,
  entries: readonly Entry[],
): Extract<ReplicaWrite, { kind: "entries" }> {
  return {
    kind: "entries",
    id: position,
    count: entries.length,
    highestTime: highestTimeOf(entries),
    block: encodeBlock(entries),
    claim: "set",
    outboxPosition: position,
    replaced: null,
    takenBack: null,
    cursor: null,
    run: null,
    quarantined: null,
    released: [],
  };
}

/** Appends a record. Resolves, when `done` is called, to the failure, or to undefined. */
export function outcome<R>(
  store: { append(record: R, done: (failure?: MeridianError) => void): void },
  record: R,
): Promise<MeridianError | undefined> {
  return new Promise((resolve) => store.append(record, resolve));
}
