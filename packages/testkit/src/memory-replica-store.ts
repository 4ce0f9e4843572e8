import type { Done, EntryMark, ReplicaStore, SummaryPage } from "@meridian/ports";
import {
  compareKeys,
  compareStamps,
  isBeyond,
  isPurgeable,
  type MeridianError,
  replaces,
  summaryOf,
  type Cursor,
  type Entry,
  type Summary,
  type OutboxFrame,
  type QuarantinedEntry,
  type ReplicaRecord,
  TakenBack,
  type TailRun,
} from "@meridian/protocol";

import { CommitQueue, type Fullness, type ScheduleCommit } from "./memory-disk.ts";

/** The data of a `MemoryReplicaStore` that survive the death of its process. */
export interface ReplicaDisk {
  incarnation: number;
  /** Whether it was restored with a new incarnation and has not been opened since. */
  isCopy?: boolean;
  cursor: Cursor | undefined;
  others: readonly Cursor[];
  outboxThrough: number;
  outboxAcknowledged: number;
  highestTime: number;
  admittedTime: number;
  horizon: number;
  entries: Map<string, Entry>;
  /** The keys of the frames after the cursor. */
  tail: TailRun[];
  outbox: OutboxFrame[];
  /** By id, in the order of the ids. */
  quarantine: Map<number, QuarantinedEntry>;
  quarantineThrough: number;
  takenBack: TakenBack;
}

/** The disk of a node that has never run. */
export function emptyReplicaDisk(incarnation: number): ReplicaDisk {
  return {
    incarnation,
    cursor: undefined,
    others: [],
    outboxThrough: 0,
    outboxAcknowledged: 0,
    highestTime: 0,
    admittedTime: 0,
    horizon: 0,
    entries: new Map(),
    tail: [],
    outbox: [],
    quarantine: new Map(),
    quarantineThrough: 0,
    takenBack: new TakenBack(),
  };
}

/** A copy of a disk, as a backup would have it. */
export function copyReplicaDisk(disk: ReplicaDisk): ReplicaDisk {
  return {
    ...disk,
    entries: new Map(disk.entries),
    tail: [...disk.tail],
    outbox: [...disk.outbox],
    quarantine: new Map(disk.quarantine),
    takenBack: disk.takenBack.copy(),
  };
}

/** A `ReplicaStore` in memory, for simulations and as the model of real stores. */
export class MemoryReplicaStore implements ReplicaStore {
  readonly #disk: ReplicaDisk;
  readonly tail: readonly TailRun[];
  readonly isCopy: boolean;
  readonly #commits: CommitQueue;
  /** Remote entries that are readable and not durable yet. */
  #early = new Map<string, Entry>();
  #sorted: readonly string[] | undefined;
  #incarnation: number;
  #cursor: Cursor | undefined;
  #others: readonly Cursor[];

  constructor(disk: ReplicaDisk, schedule: ScheduleCommit) {
    this.#disk = disk;
    this.tail = [...disk.tail];
    this.#commits = new CommitQueue(schedule, () => this.#forget());
    this.isCopy = disk.isCopy === true;
    disk.isCopy = false;
    this.#incarnation = disk.incarnation;
    this.#cursor = disk.cursor;
    this.#others = disk.others;
  }

  get incarnation(): number {
    return this.#incarnation;
  }

  get cursor(): Cursor | undefined {
    return this.#cursor;
  }

  get others(): readonly Cursor[] {
    return this.#others;
  }

  get outboxThrough(): number {
    return this.#disk.outboxThrough;
  }

  get outboxAcknowledged(): number {
    return this.#disk.outboxAcknowledged;
  }

  get highestTime(): number {
    return this.#disk.highestTime;
  }

  get admittedTime(): number {
    return this.#disk.admittedTime;
  }

  get horizon(): number {
    return this.#disk.horizon;
  }

  get takenBack(): TakenBack {
    return this.#disk.takenBack;
  }

  get quarantined(): number {
    return this.#disk.quarantine.size;
  }

  /** Entries held, purgeable ones that have not been removed included. */
  get size(): number {
    return this.#disk.entries.size;
  }

  get stall(): MeridianError | undefined {
    return this.#commits.stall;
  }

  get shortage(): MeridianError | undefined {
    return this.#commits.stall;
  }

  /** While set, commits fail as on a full disk: all of them, or those with entries. */
  set full(full: Fullness) {
    this.#commits.full = full;
  }

  get(key: string): Entry | undefined {
    const early = this.#early.get(key);
    const durable = this.#disk.entries.get(key);
    return early !== undefined && replaces(early, durable) ? early : durable;
  }

  peek(key: string): EntryMark | undefined {
    return this.get(key);
  }

  outboxAfter(position: number, bytesMax: number): readonly OutboxFrame[] {
    const frames: OutboxFrame[] = [];
    let bytes = 0;
    for (const frame of this.#disk.outbox) {
      if (frame.position <= position) continue;
      bytes += frame.block.byteLength;
      if (frames.length > 0 && bytes > bytesMax) break;
      frames.push(frame);
    }
    return frames;
  }

  quarantinedAfter(id: number, limit: number): readonly QuarantinedEntry[] {
    return [...this.#disk.quarantine.values()].filter((each) => each.id > id).slice(0, limit);
  }

  quarantinedEntry(id: number): QuarantinedEntry | undefined {
    return this.#disk.quarantine.get(id);
  }

  summaryPage(key: string | null, limit: number, horizon: number = this.horizon): SummaryPage {
    const keys = this.#sortedKeys().filter((each) => key === null || compareKeys(each, key) > 0);
    const page = keys.slice(0, limit);
    const entries = page.flatMap((each) => this.get(each) ?? []);
    return {
      summaries: entries.filter((entry) => !isPurgeable(entry, horizon)).map(summaryOf),
      next: keys.length > limit ? (page.at(-1) ?? null) : null,
    };
  }

  #sortedKeys(): readonly string[] {
    this.#sorted ??= [...new Set([...this.#disk.entries.keys(), ...this.#early.keys()])].toSorted(
      compareKeys,
    );
    return this.#sorted;
  }

  summariesAfter(
    key: string | null,
    limit: number,
    horizon: number = this.horizon,
  ): readonly Summary[] {
    const summaries: Summary[] = [];
    for (const candidate of this.#sortedKeys()) {
      if (summaries.length >= limit) break;
      if (key !== null && compareKeys(candidate, key) <= 0) continue;
      const entry = this.get(candidate);
      if (entry === undefined || isPurgeable(entry, horizon)) continue;
      summaries.push(summaryOf(entry));
    }
    return summaries;
  }

  append(record: ReplicaRecord, done: Done): void {
    if (record.kind === "remote") {
      for (const entry of record.entries) {
        if (replaces(entry, this.get(entry.key))) this.#early.set(entry.key, entry);
      }
      this.#sorted = undefined;
    }
    if ("cursor" in record && record.cursor !== undefined) this.#cursor = record.cursor;
    if (record.kind === "progress") this.#others = record.others ?? this.#others;
    const bringsNone = record.kind === "progress" || record.kind === "release";
    this.#commits.push(() => this.#commit(record), done, bringsNone);
  }

  /** Removes what is purgeable, at most `rowsMax` entries. */
  sweep(rowsMax: number, horizon: number = this.horizon): void {
    let left = rowsMax;
    for (const [key, entry] of this.#disk.entries) {
      if (left === 0) return;
      if (!isPurgeable(entry, horizon)) continue;
      this.#disk.entries.delete(key);
      this.#sorted = undefined;
      left -= 1;
    }
  }

  /** Ends the store as the death of its process would. */
  crash(): void {
    this.#commits.crash();
  }

  /** Restores the state of the last commit. */
  #forget(): void {
    this.#early = new Map();
    this.#cursor = this.#disk.cursor;
    this.#others = this.#disk.others;
    this.#sorted = undefined;
  }

  #commit(record: ReplicaRecord): void {
    const disk = this.#disk;
    this.#sorted = undefined;
    switch (record.kind) {
      case "local":
        disk.outboxThrough = record.frame.position;
        disk.outbox.push(record.frame);
        this.#merge(record.entries);
        for (const id of record.released ?? []) disk.quarantine.delete(id);
        return;
      case "remote":
        this.#merge(record.entries);
        this.#quarantine(record.quarantined);
        disk.admittedTime = Math.max(disk.admittedTime, record.highestTime);
        if (record.place !== undefined && record.entries.length > 0) {
          const keys = record.entries.map(({ key }) => key);
          disk.tail.push({ place: record.place, keys });
        }
        if (record.cursor !== undefined) this.#move(record.cursor);
        return;
      case "restamp":
        return this.#restamp(record);
      case "progress":
        if (record.cursor !== undefined) this.#move(record.cursor);
        disk.others = record.others ?? disk.others;
        if (record.outboxThrough !== undefined) this.#acknowledge(record.outboxThrough);
        disk.horizon = Math.max(disk.horizon, record.horizon ?? 0);
        return;
      case "release":
        for (const id of record.ids) disk.quarantine.delete(id);
        return;
      case "adopt":
        disk.incarnation = record.incarnation;
        this.#incarnation = record.incarnation;
        return;
    }
  }

  #move(cursor: Cursor): void {
    const disk = this.#disk;
    if (disk.tail.length > 0) {
      disk.tail = disk.tail.filter(({ place }) => isBeyond(place, disk.cursor, cursor));
    }
    disk.cursor = cursor;
  }

  #merge(entries: readonly Entry[]): void {
    const disk = this.#disk;
    for (const entry of entries) {
      disk.highestTime = Math.max(disk.highestTime, entry.stamp.time);
      if (replaces(entry, disk.entries.get(entry.key))) disk.entries.set(entry.key, entry);
      if (this.#early.get(entry.key) === entry) this.#early.delete(entry.key);
    }
  }

  #quarantine(quarantined: Extract<ReplicaRecord, { kind: "remote" }>["quarantined"]): void {
    const disk = this.#disk;
    for (const entry of quarantined?.entries ?? []) {
      disk.quarantineThrough += 1;
      const id = disk.quarantineThrough;
      disk.quarantine.set(id, { id, entry, atMs: quarantined?.atMs ?? 0 });
    }
  }

  #restamp(record: Extract<ReplicaRecord, { kind: "restamp" }>): void {
    const { outbox, entries } = this.#disk;
    const index = outbox.findIndex(({ position }) => position === record.frame.position);
    outbox[index] = record.frame;
    for (const [at, entry] of record.entries.entries()) {
      const replaced = record.replaced[at];
      const current = entries.get(entry.key);
      if (current && replaced && compareStamps(current.stamp, replaced) === 0) {
        entries.delete(entry.key);
      }
    }
    this.#merge(record.entries);
    this.#disk.takenBack.add(record.takenBack);
  }

  #acknowledge(through: number): void {
    const disk = this.#disk;
    for (const frame of disk.outbox) {
      if (frame.position > through) continue;
      disk.admittedTime = Math.max(disk.admittedTime, frame.highestTime);
    }
    disk.outbox = disk.outbox.filter(({ position }) => position > through);
    disk.outboxAcknowledged = Math.max(disk.outboxAcknowledged, through);
  }
}
