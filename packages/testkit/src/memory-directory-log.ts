import type { DirectoryLog, EntryMark, Done, LogDoubt, SummaryPage } from "@meridian/ports";
import {
  compareKeys,
  cursorsIn,
  decodeBlock,
  encodeBlock,
  highestTimeOf,
  isPurgeable,
  replaces,
  summaryOf,
  withCursor,
  type Cursor,
  type Entry,
  type MeridianError,
  type HorizonState,
  type Summary,
  type LogFrame,
  type OutboxMark,
  type RememberedMember,
} from "@meridian/protocol";

import { CommitQueue, type ScheduleCommit } from "./memory-disk.ts";

/** The data of a `MemoryDirectoryLog` that survive the death of its process. */
export interface LogDisk {
  logId: number;
  epochs: (readonly [epoch: number, after: number])[];
  committedThrough: number;
  /** The newest frames, uncompacted. */
  frames: LogFrame[];
  /** The newest entry of each key, with its sequence; of all frames. */
  entries: Map<string, { readonly entry: Entry; readonly sequence: number }>;
  marks: Map<number, OutboxMark>;
  admittedTime: number;
  followed: readonly Cursor[];
  compared: readonly Cursor[];
  horizonState: HorizonState;
  doubt: LogDoubt | null;
  purgedThrough: number;
  members: Map<string, RememberedMember>;
}

/** The disk of a directory that has never run. */
export function emptyLogDisk(logId: number): LogDisk {
  return {
    logId,
    epochs: [],
    committedThrough: 0,
    frames: [],
    entries: new Map(),
    marks: new Map(),
    admittedTime: 0,
    followed: [],
    compared: [],
    horizonState: { horizon: 0, frozenUntilMs: 0, marks: [] },
    doubt: null,
    purgedThrough: 0,
    members: new Map(),
  };
}

/** A copy of a disk, as a backup would have it. */
export function copyLogDisk(disk: LogDisk): LogDisk {
  return {
    ...disk,
    epochs: [...disk.epochs],
    frames: [...disk.frames],
    entries: new Map(disk.entries),
    marks: new Map(disk.marks),
    members: new Map(disk.members),
  };
}

/** A `DirectoryLog` in memory, for simulations and as the model of real logs. */
export class MemoryDirectoryLog implements DirectoryLog {
  readonly #disk: LogDisk;
  readonly #commits: CommitQueue;
  readonly #framesMax: number;
  readonly epoch: number;
  readonly highestTime: number;
  /** What may be removed. */
  /** Its keys in order, until they change. */
  #sorted: readonly string[] | undefined;
  #permission = { horizon: 0, through: 0 };

  /** Opens the log, which starts the epoch. All but the newest `framesMax` frames are compacted. */
  constructor(disk: LogDisk, epoch: number, schedule: ScheduleCommit, framesMax = Infinity) {
    this.#disk = disk;
    this.#commits = new CommitQueue(schedule);
    this.#framesMax = framesMax;
    this.epoch = epoch;
    this.highestTime = Math.max(0, ...disk.frames.map((frame) => frame.highestTime));
    disk.admittedTime = Math.max(disk.admittedTime, this.highestTime);
    disk.epochs.push([this.epoch, disk.committedThrough]);
  }

  get logId(): number {
    return this.#disk.logId;
  }

  get epochs(): readonly (readonly [epoch: number, after: number])[] {
    return this.#disk.epochs;
  }

  get followed(): readonly Cursor[] {
    return this.#disk.followed;
  }

  get compared(): readonly Cursor[] {
    return this.#disk.compared;
  }

  get committedThrough(): number {
    return this.#disk.committedThrough;
  }

  get admittedTime(): number {
    return this.#disk.admittedTime;
  }

  get members(): readonly RememberedMember[] {
    return [...this.#disk.members.values()];
  }

  get horizonState(): HorizonState {
    return this.#disk.horizonState;
  }

  get doubt(): LogDoubt | null {
    return this.#disk.doubt;
  }

  get purgedThrough(): number {
    return this.#disk.purgedThrough;
  }

  /** Entries held, purgeable ones that have not been removed included. */
  get size(): number {
    return this.#disk.entries.size;
  }

  /** While set, nothing is committed, as on a full disk: it waits. */
  set full(full: boolean) {
    this.#commits.full = full;
  }

  get stall(): MeridianError | undefined {
    return this.#commits.stall;
  }

  outboxMark(incarnation: number): OutboxMark | undefined {
    return this.#disk.marks.get(incarnation);
  }

  append(frame: LogFrame, done: Done): void {
    this.#commits.push(() => this.#commit(frame), done);
  }

  read(after: number, bytesMax: number): readonly LogFrame[] {
    const { frames, committedThrough } = this.#disk;
    const start = frames[0]?.after ?? committedThrough;
    if (after < start) return [this.#compacted(after, start, bytesMax)];
    const found: LogFrame[] = [];
    let bytes = 0;
    for (const frame of frames) {
      if (frame.through <= after) continue;
      bytes += frame.block.byteLength;
      if (found.length > 0 && bytes > bytesMax) break;
      found.push(frame.after < after ? tailOf(frame, after) : frame);
    }
    return found;
  }

  settle(done: Done): void {
    this.#commits.push(() => {}, done);
  }

  get mergedThrough(): number {
    return this.#disk.committedThrough;
  }

  confirm(done: Done): void {
    done();
  }

  admit(time: number, done: Done): void {
    this.#commits.push(() => {
      this.#disk.admittedTime = Math.max(this.#disk.admittedTime, time);
    }, done);
  }

  saveHorizon(state: HorizonState, done: Done): void {
    this.#commits.push(() => {
      this.#disk.horizonState = state;
    }, done);
  }

  saveDoubt(doubt: LogDoubt | null, done: Done): void {
    this.#disk.doubt = doubt;
    this.#doneOutside(done);
  }

  remember(members: readonly RememberedMember[], dropped: readonly string[], done: Done): void {
    for (const member of members) this.#disk.members.set(member.id, member);
    for (const id of dropped) this.#disk.members.delete(id);
    this.#doneOutside(done);
  }

  /** What nodes that come and go bring is outside the queue of commits, so that it does not change when writes are committed. */
  #doneOutside(done: Done): void {
    queueMicrotask(() => {
      if (!this.#commits.isCrashed) done();
    });
  }

  purge(horizon: number, through: number): void {
    const permit = (): void => {
      this.#permission = { horizon, through };
    };
    this.#commits.push(permit, () => {});
  }

  /** Removes at most `rowsMax` of the entries that may be purged. */
  sweep(rowsMax: number): void {
    const disk = this.#disk;
    const { horizon, through } = this.#permission;
    let left = rowsMax;
    for (const [key, { entry, sequence }] of disk.entries) {
      if (left === 0) return;
      if (sequence > through || !isPurgeable(entry, horizon)) continue;
      disk.entries.delete(key);
      this.#sorted = undefined;
      disk.purgedThrough = Math.max(disk.purgedThrough, sequence);
      left -= 1;
    }
  }

  summaryPage(
    key: string | null,
    limit: number,
    horizon: number = this.horizonState.horizon,
  ): SummaryPage {
    const keys = this.#keysAfter(key);
    const page = keys.slice(0, limit);
    return {
      summaries: this.#summariesOf(page, horizon),
      next: keys.length > limit ? (page.at(-1) ?? null) : null,
    };
  }

  summariesAfter(
    key: string | null,
    limit: number,
    horizon: number = this.horizonState.horizon,
  ): readonly Summary[] {
    return this.#summariesOf(this.#keysAfter(key), horizon).slice(0, limit);
  }

  #keysAfter(key: string | null): readonly string[] {
    this.#sorted ??= [...this.#disk.entries.keys()].toSorted(compareKeys);
    return this.#sorted.filter((each) => key === null || compareKeys(each, key) > 0);
  }

  #summariesOf(keys: readonly string[], horizon: number): readonly Summary[] {
    const entries = keys.flatMap((key) => this.get(key) ?? []);
    return entries.filter((entry) => !isPurgeable(entry, horizon)).map(summaryOf);
  }

  get(key: string): Entry | undefined {
    return this.#disk.entries.get(key)?.entry;
  }

  peek(key: string): EntryMark | undefined {
    return this.get(key);
  }

  /** Ends the log as the death of its process would. */
  crash(): void {
    this.#commits.crash();
  }

  #commit(frame: LogFrame): void {
    const disk = this.#disk;
    const { followed, compared, incomplete = false, ...kept } = frame;
    if (followed !== undefined) disk.followed = withCursor(disk.followed, followed);
    if (compared !== undefined) disk.compared = withCursor(disk.compared, compared);
    disk.compared = cursorsIn(disk.compared, disk.followed);
    if (frame.through === frame.after) return;
    disk.frames.push(incomplete ? { ...kept, position: 0 } : kept);
    disk.committedThrough = frame.through;
    const { incarnation, position, through, highestTime } = frame;
    const sequence = incomplete ? 0 : through;
    if (position > 0) disk.marks.set(incarnation, { position, sequence, highestTime });
    for (const [index, entry] of decodeBlock(frame.block, frame.count).entries()) {
      if (!replaces(entry, disk.entries.get(entry.key)?.entry)) continue;
      this.#sorted = undefined;
      disk.entries.set(entry.key, { entry, sequence: frame.after + 1 + index });
    }
    while (disk.frames.length > this.#framesMax) disk.frames.shift();
  }

  #compacted(after: number, through: number, bytesMax: number): LogFrame {
    const rows = [...this.#disk.entries.values()]
      .filter(({ sequence }) => sequence > after && sequence <= through)
      .toSorted((a, b) => a.sequence - b.sequence);
    const count = Math.max(1, Math.floor(bytesMax / 1_000));
    const entries = rows.slice(0, count).map(({ entry }) => entry);
    return {
      after,
      through: rows.length > count ? (rows[count - 1]?.sequence ?? through) : through,
      count: entries.length,
      highestTime: highestTimeOf(entries),
      incarnation: 0,
      position: 0,
      block: encodeBlock(entries),
    };
  }
}

/** The entries of a frame after a sequence within it. */
function tailOf(frame: LogFrame, after: number): LogFrame {
  const entries = decodeBlock(frame.block, frame.count).slice(after - frame.after);
  return {
    ...frame,
    after,
    count: entries.length,
    highestTime: highestTimeOf(entries),
    position: 0,
    block: encodeBlock(entries),
  };
}
