import type { EntryMark, ReplicaStore } from "@meridian/ports";
import {
  compareKeys,
  isPurgeable,
  replaces,
  summaryOf,
  type Cursor,
  type Entry,
  type OutboxFrame,
  type QuarantinedEntry,
  type ReplicaRecord,
} from "@meridian/protocol";

/** The model of a replica store: the state after a list of records, computed in the simplest way. */
export class ReplicaModel {
  incarnation: number;
  cursor: Cursor | undefined;
  others: readonly Cursor[] = [];
  outboxThrough = 0;
  outboxAcknowledged = 0;
  highestTime = 0;
  admittedTime = 0;
  horizon = 0;
  quarantine: readonly QuarantinedEntry[] = [];
  #quarantineThrough = 0;
  entries = new Map<string, Entry>();
  outbox = new Map<number, { readonly frame: OutboxFrame; readonly entries: readonly Entry[] }>();

  constructor(incarnation: number) {
    this.incarnation = incarnation;
  }

  copy(): ReplicaModel {
    const copy = Object.assign(new ReplicaModel(this.incarnation), this);
    copy.entries = new Map(this.entries);
    copy.outbox = new Map(this.outbox);
    copy.#quarantineThrough = this.#quarantineThrough;
    return copy;
  }

  apply(record: ReplicaRecord): void {
    if ("cursor" in record && record.cursor !== undefined) this.cursor = record.cursor;
    switch (record.kind) {
      case "local":
        this.outboxThrough = record.frame.position;
        this.#put(record.frame, record.entries);
        for (const each of record.entries) this.#merge(each);
        this.#release(record.released ?? []);
        break;
      case "remote":
        this.#raise(record.highestTime);
        this.admittedTime = Math.max(this.admittedTime, record.highestTime);
        for (const each of record.entries) this.#merge(each);
        this.#quarantine(record.quarantined?.entries ?? [], record.quarantined?.atMs ?? 0);
        break;
      case "restamp":
        this.#put(record.frame, record.entries);
        for (const [index, each] of record.entries.entries()) {
          const old = record.replaced[index];
          const held = this.entries.get(each.key)?.stamp;
          const isSame = held?.time === old?.time && held?.origin === old?.origin;
          if (isSame) this.entries.set(each.key, each);
          else this.#merge(each);
        }
        break;
      case "progress":
        this.others = record.others ?? this.others;
        this.#acknowledge(record.outboxThrough ?? 0);
        this.horizon = Math.max(this.horizon, record.horizon ?? 0);
        break;
      case "release":
        this.#release(record.ids);
        break;
      case "adopt":
        this.incarnation = record.incarnation;
        break;
    }
  }

  view(): unknown {
    return {
      incarnation: this.incarnation,
      cursor: this.cursor,
      others: this.others,
      outboxThrough: this.outboxThrough,
      outboxAcknowledged: this.outboxAcknowledged,
      highestTime: this.highestTime,
      admittedTime: this.admittedTime,
      horizon: this.horizon,
      quarantined: this.quarantine.length,
      quarantine: this.quarantine.map(quarantineView),
      outbox: [...this.outbox.values()].map(({ frame }) => frameView(frame)),
      entries: [...this.entries.values()]
        .filter((each) => !isPurgeable(each, this.horizon))
        .toSorted((a, b) => compareKeys(a.key, b.key))
        .map((each) => [entryView(each), markOf(each), summaryOf(each)]),
    };
  }

  #put(frame: OutboxFrame, entries: readonly Entry[]): void {
    this.outbox.set(frame.position, { frame, entries });
    this.#raise(frame.highestTime);
  }

  #raise(time: number): void {
    this.highestTime = Math.max(this.highestTime, time);
  }

  #merge(candidate: Entry): void {
    if (replaces(candidate, this.entries.get(candidate.key))) {
      this.entries.set(candidate.key, candidate);
    }
  }

  #quarantine(entries: readonly Entry[], atMs: number): void {
    for (const each of entries) {
      this.#quarantineThrough += 1;
      const id = this.#quarantineThrough;
      this.quarantine = [...this.quarantine, { id, entry: each, atMs }];
    }
  }

  #release(ids: readonly number[]): void {
    this.quarantine = this.quarantine.filter(({ id }) => !ids.includes(id));
  }

  #acknowledge(through: number): void {
    for (const [position, { frame }] of this.outbox) {
      if (position > through) continue;
      this.outbox.delete(position);
      this.admittedTime = Math.max(this.admittedTime, frame.highestTime);
    }
    this.outboxAcknowledged = Math.max(this.outboxAcknowledged, through);
  }
}

/** Everything that can be read from a store, as one value to compare. */
export function viewOf(store: ReplicaStore): unknown {
  const summaries = store.summariesAfter(null, 1_000);
  return {
    incarnation: store.incarnation,
    cursor: store.cursor,
    others: store.others,
    outboxThrough: store.outboxThrough,
    outboxAcknowledged: store.outboxAcknowledged,
    highestTime: store.highestTime,
    admittedTime: store.admittedTime,
    horizon: store.horizon,
    quarantined: store.quarantined,
    quarantine: store.quarantinedAfter(0, 1_000).map(quarantineView),
    outbox: store.outboxAfter(store.outboxAcknowledged, 1e9).map(frameView),
    entries: summaries.map((summary) => [
      entryView(store.get(summary.key)),
      markOf(store.peek(summary.key)),
      summary,
    ]),
  };
}

function entryView(each: Entry | undefined): unknown {
  return each === undefined ? null : { ...each, value: [...each.value] };
}

/** What `peek` tells of an entry, whether it gives more or not. */
export function markOf(entry: EntryMark | undefined): EntryMark | undefined {
  if (entry === undefined) return undefined;
  const { key, stamp, deleted, expiresAtMs } = entry;
  return { key, stamp, deleted, expiresAtMs };
}

function quarantineView({ id, entry, atMs }: QuarantinedEntry): unknown {
  return { id, atMs, entry: entryView(entry) };
}

function frameView({ position, count, highestTime, block }: OutboxFrame): unknown {
  return { position, count, highestTime, block: [...block] };
}
