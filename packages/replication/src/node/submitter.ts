/**
 * Sends the outbox to the directory, in order, and keeps it until the directory has committed it.
 *
 * Invariant: acknowledged ≤ sent ≤ durable. A new link starts again after what is acknowledged; what the
 * directory had already taken it passes over, because it knows the positions.
 *
 * A frame whose stamps lie too far ahead is refused by the directory before anyone has seen it. The node then
 * goes by the directory's clock, and gives new stamps to all in the outbox from there on that lies too far ahead,
 * in order, above every stamp that any directory has admitted as far as it knows, and above those of the frames
 * before, which this one has taken. No write is stamped meanwhile.
 *
 * In a database that was restored from a backup, such a frame may have been sent and replaced long ago. Nobody can tell
 * when it was made, only that it was after what this copy had heard of: so that is where its new stamps lie, and
 * whatever else was written since stands above them.
 */
import type { Link, ReplicaStore } from "@meridian/ports";
import {
  asMeridianError,
  assembleFrame,
  decodeBlock,
  encodeBlock,
  FRAME_BYTES_TARGET,
  FRAME_HEADER_BYTES,
  FRAME_KIND,
  highestTimeOf,
  lowestTimeOf,
  MeridianError,
  unixMsOf,
  type DirectoryMessage,
  type Entry,
  type OutboxFrame,
} from "@meridian/protocol";
import { randomIdentity, type Logger, type Random } from "@meridian/runtime";

import { PendingTimes } from "../horizon/pending-times.ts";
import { checkHorizon, checkOutboxPosition } from "../link/directory-claims.ts";
import type { ClusterClock } from "../time/cluster-clock.ts";
import { HybridClock } from "../time/hybrid-clock.ts";
import { FRAME_COST, TurnWork } from "../turn-work.ts";
import type { WritePath } from "./write-path.ts";

/** What a submitter needs. */
export interface SubmitterOptions {
  readonly store: ReplicaStore;
  readonly logger: Logger;
  readonly stamps: HybridClock;
  readonly time: ClusterClock;
  readonly writes: WritePath;
  readonly windowBytes: number;
  /** Runs `callback` once other work has had its turn. */
  defer(callback: () => void): void;
  /** The highest stamp time that a directory has admitted. */
  admittedTime(): number;
  /** The directory has committed a frame with this highest stamp time. */
  onAdmitted(time: number): void;
  /** What an older copy of this database had not sent gets lower stamps: node and log have to compare what they have after that. */
  onOutdated(): void;
  /** Entries have new stamps, lower ones perhaps: what memory holds of their keys is void. */
  onRestamped(entries: readonly Entry[]): void;
  onFailed(failure: MeridianError): void;
}

interface InFlight {
  readonly frame: OutboxFrame;
  /** Those of the frame's entries, where they are at hand. */
  readonly keys: readonly string[] | undefined;
}

export class Submitter {
  readonly #options: SubmitterOptions;
  #link: Link | undefined;
  /** The last position that was sent, on whichever link, and the last that the outbox had at the start. */
  #givenThrough = 0;
  readonly #startedAt: number;
  #sentThrough = 0;
  #acknowledgedThrough: number;
  /** The frames sent and not acknowledged, oldest first. */
  #inFlight: InFlight[] = [];
  #inFlightBytes = 0;
  /** Frames through here are reported when applied. */
  #reportThrough = 0;
  #restamping = false;
  /** The highest stamp time given since a frame was refused. */
  #renewedTime = 0;
  /** The directory cannot write its log: what is sent to it would only wait there. */
  #isHeld = false;
  /** Gives stamps to what was in the outbox when an older copy of the database was put in its place. */
  #outdated: HybridClock | undefined;
  #savedThrough: number;
  /** Stamps from here on were given when a directory had told the time. */
  #judgedFrom = Infinity;
  readonly #times: PendingTimes;
  readonly #work: TurnWork;

  constructor(options: SubmitterOptions) {
    this.#startedAt = options.store.outboxThrough;
    this.#options = options;
    this.#acknowledgedThrough = options.store.outboxAcknowledged;
    this.#savedThrough = this.#acknowledgedThrough;
    this.#times = new PendingTimes(options.store.outboxThrough);
    this.#times.acknowledge(this.#acknowledgedThrough);
    this.#work = new TurnWork(
      (callback) => options.defer(callback),
      () => this.#pumpLater(),
    );
  }

  /** The database counts as a new one from here on: it is an older copy of one that went on. */
  adopt(random: Random): void {
    const { store } = this.#options;
    const incarnation = randomIdentity(random);
    this.#outdated = new HybridClock(random, this.#options.admittedTime());
    store.append({ kind: "adopt", incarnation }, (failure) => {
      const said = "The node's database has taken a new identity";
      this.#options.onFailed(failure ?? new MeridianError("INCARNATION_REUSED", said));
    });
  }

  /**
   * New stamps lie above a horizon. Throws `MALFORMED_MESSAGE` for one that leaves no room for them. Any other may be true: clocks may
   * have been set back since.
   */
  observeHorizon({ horizon }: { readonly horizon: number }): void {
    checkHorizon(horizon);
    this.#options.stamps.observe(horizon);
  }

  /** Throws `MALFORMED_MESSAGE` if the directory speaks of a position that no directory was ever sent. */
  check(message: DirectoryMessage): void {
    // What is in the outbox from before the start may have been sent then.
    checkOutboxPosition(message, Math.max(this.#givenThrough, this.#startedAt));
  }

  get acknowledgedThrough(): number {
    return this.#acknowledgedThrough;
  }

  /** Positions that the directory has not committed. */
  get pending(): number {
    return this.#options.store.outboxThrough - this.#acknowledgedThrough;
  }

  /** No frame that the directory has not committed holds a lower stamp time; infinite where there is none. */
  get lowestTime(): number {
    return this.#times.lowestTime;
  }

  /** Bytes that were sent and are not acknowledged. */
  get inFlightBytes(): number {
    return this.#inFlightBytes;
  }

  /** Whether frames wait for their acknowledgement, or to be sent to a directory that takes none now. */
  get waiting(): boolean {
    return this.#inFlight.length > 0 || (this.#isHeld && this.pending > 0);
  }

  /** Whether the directory takes no frames now. */
  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** Sends nothing until told otherwise, or on a new link. */
  hold(isHeld: boolean): void {
    this.#noteTime();
    if (isHeld === this.#isHeld) return;
    this.#isHeld = isHeld;
    if (isHeld) this.#options.logger.warn("the directory cannot write its log; the outbox waits");
    this.pump();
  }

  /**
   * Whether the outbox holds another frame at `position` than the one that a directory has committed there,
   * whose highest stamp time it tells: then this database is a copy of one that went on.
   */
  holdsAnother(position: number, highestTime: number): boolean {
    const { store } = this.#options;
    if (position <= store.outboxAcknowledged) return false;
    const [frame] = store.outboxAfter(position - 1, 1);
    return frame?.position === position && frame.highestTime !== highestTime;
  }

  /**
   * Starts sending on a new link, after what the directory says it has committed, unless it is to hold back. Returns the
   * keys of what was not known to be committed until now.
   */
  attach(link: Link, acknowledgedThrough: number, isHeld: boolean): readonly string[] {
    this.detach();
    this.#noteTime();
    this.#isHeld = isHeld;
    const keys = this.#admitThrough(acknowledgedThrough);
    this.acknowledge(acknowledgedThrough);
    this.#sentThrough = this.#acknowledgedThrough;
    this.#link = link;
    this.pump();
    return keys;
  }

  /** The directory has committed these frames although its acknowledgement of them was lost. */
  #admitThrough(position: number): readonly string[] {
    if (position <= this.#acknowledgedThrough) return [];
    const keys: string[] = [];
    for (const frame of this.#outboxFrames(this.#acknowledgedThrough)) {
      if (frame.position > position) break;
      this.#options.onAdmitted(frame.highestTime);
      keys.push(...keysOf(frame));
    }
    return keys;
  }

  detach(): void {
    this.#link = undefined;
    this.#isHeld = false;
    this.#inFlight = [];
    this.#inFlightBytes = 0;
  }

  /** Sends a frame that has just become durable, if everything before it has been sent and the window has room. */
  offer(frame: OutboxFrame, entries: readonly Entry[], reportApplied: boolean): void {
    this.#times.add(frame.position, lowestTimeOf(entries));
    if (reportApplied) this.#reportThrough = frame.position;
    if (frame.position !== this.#sentThrough + 1 || !this.#maySend()) return;
    this.#send(
      frame,
      entries.map(({ key }) => key),
    );
  }

  /** Sends what the window has room for. */
  pump(): void {
    const { store } = this.#options;
    while (this.#maySend() && this.#sentThrough < store.outboxThrough && this.#work.mayGoOn()) {
      const frames = store.outboxAfter(this.#sentThrough, FRAME_BYTES_TARGET);
      if (frames.length === 0) return;
      for (const frame of frames) {
        this.#work.spend(FRAME_COST, frame.block.byteLength);
        this.#send(frame);
      }
    }
  }

  /** What is thrown in a later turn nobody else would take. */
  #pumpLater(): void {
    try {
      this.pump();
    } catch (failure) {
      this.#options.onFailed(asMeridianError(failure));
    }
  }

  /** The directory has committed the outbox through `position`. Returns the keys of what was in flight until there. */
  acknowledge(position: number): readonly string[] {
    if (position <= this.#acknowledgedThrough) return [];
    this.#acknowledgedThrough = Math.min(position, this.#options.store.outboxThrough);
    this.#times.acknowledge(this.#acknowledgedThrough);
    const next = this.#inFlight.findIndex(({ frame }) => frame.position > position);
    const done = this.#inFlight.splice(0, next < 0 ? this.#inFlight.length : next);
    for (const { frame } of done) {
      this.#options.onAdmitted(frame.highestTime);
      this.#inFlightBytes -= bytesOf(frame);
    }
    this.pump();
    return done.flatMap(({ frame, keys }) => keys ?? keysOf(frame));
  }

  /** Makes durable how far the outbox is acknowledged, through `savable` at most, so that the store can forget it. */
  save(savable: number): void {
    const through = Math.min(savable, this.#acknowledgedThrough);
    if (through <= this.#savedThrough) return;
    this.#savedThrough = through;
    const record = { kind: "progress", outboxThrough: this.#savedThrough } as const;
    this.#options.store.append(record, (failure) => {
      if (failure === undefined) return;
      this.#savedThrough = this.#options.store.outboxAcknowledged;
      this.#options.onFailed(failure);
    });
  }

  /** The directory, which admits stamps up to `timeMax`, has refused the frame at `position` for its stamps. */
  refuse(position: number, timeMax: number): void {
    if (this.#restamping || position <= this.#acknowledgedThrough) return;
    this.#restamping = true;
    const { time, writes, stamps, logger } = this.#options;
    logger.warn("stamps refused; going by the cluster's time", { aheadMs: time.aheadMs });
    time.obey();
    writes.pause(() => {
      const admittedTime = Math.max(this.#options.admittedTime(), this.#highestBefore(position));
      const bound = Math.max(timeMax, admittedTime);
      this.#renewedTime = 0;
      stamps.lower(Math.max(admittedTime, this.#highestUpTo(bound, position)));
      if (this.#outdated !== undefined) {
        for (const time of this.#keptOutdated(bound)) this.#outdated.observe(time);
        this.#options.onOutdated();
      }
      this.#restampAfter(position - 1, bound);
    });
  }

  /** The highest stamp time in the outbox before a refused position: the directory has taken that. */
  #highestBefore(position: number): number {
    let highest = 0;
    for (const frame of this.#outboxFrames(this.#acknowledgedThrough)) {
      if (frame.position >= position) break;
      highest = Math.max(highest, frame.highestTime);
    }
    return highest;
  }

  /** The highest stamp time up to `bound` from a position on: it stays, and new ones have to lie above it, or order would be lost. */
  #highestUpTo(bound: number, position: number): number {
    let highest = 0;
    for (const frame of this.#outboxFrames(position - 1)) {
      const times = frame.highestTime <= bound ? [frame.highestTime] : timesOf(frame);
      for (const time of times) if (time <= bound) highest = Math.max(highest, time);
    }
    return highest;
  }

  /** Stamp times up to `bound` of what an older copy of the database had not sent: they stay, and new ones lie above. */
  *#keptOutdated(bound: number): Generator<number> {
    const { stamps } = this.#options;
    for (const { block, count } of this.#outboxFrames(this.#acknowledgedThrough)) {
      for (const { stamp } of decodeBlock(block, count)) {
        if (stamp.origin !== stamps.origin && stamp.time <= bound) yield stamp.time;
      }
    }
  }

  *#outboxFrames(after: number): Generator<OutboxFrame> {
    for (let position = after; ;) {
      const frames = this.#options.store.outboxAfter(position, FRAME_BYTES_TARGET);
      yield* frames;
      const last = frames.at(-1);
      if (last === undefined) return;
      position = last.position;
    }
  }

  #restampAfter(after: number, refusedAbove: number): void {
    try {
      this.#restampNext(after, refusedAbove);
    } catch (cause) {
      // This runs when a commit is done, where nobody else would take the failure.
      this.#failRestamp(asMeridianError(cause));
    }
  }

  #failRestamp(failure: MeridianError): void {
    this.#restamping = false;
    // What has kept its stamp is older than any write to come, and must not outdo it.
    this.#options.stamps.observe(this.#options.store.highestTime);
    this.#options.writes.resume();
    this.#options.onFailed(failure);
  }

  #restampNext(after: number, refusedAbove: number): void {
    const { store } = this.#options;
    const frame = firstAbove(refusedAbove, this.#outboxFrames(after));
    if (frame === undefined) return this.#endRestamp();
    const { position } = frame;
    // What has been admitted meanwhile, by whomever, keeps its stamp, and so does what already has a new one.
    const bound = Math.max(refusedAbove, this.#options.admittedTime(), this.#renewedTime);
    // The newest of a key stands for all before it, or those would come back above it; and it has its new stamp already
    // if an earlier frame held one of them, or the write would be there twice, once above what has replaced it.
    const old = decodeBlock(frame.block, frame.count).map((entry) => store.get(entry.key) ?? entry);
    const made = new Map<string, Entry>();
    const entries = old.map((entry) => {
      const { key, stamp } = entry;
      const renewed = made.get(key) ?? (stamp.time > bound ? this.#restamp(entry) : entry);
      made.set(key, renewed);
      return renewed;
    });
    const restamped = {
      position,
      count: frame.count,
      highestTime: highestTimeOf(entries),
      block: encodeBlock(entries),
    };
    const replaced = old.map(({ stamp }) => stamp);
    store.append({ kind: "restamp", frame: restamped, entries, replaced }, (failure) => {
      if (failure === undefined) {
        this.#options.onRestamped(entries);
        return this.#restampAfter(position, refusedAbove);
      }
      this.#failRestamp(failure);
    });
  }

  /** Sends everything again that is not acknowledged; what the directory had taken it passes over. */
  #endRestamp(): void {
    this.#restamping = false;
    this.#times.forget(this.#options.store.outboxThrough);
    if (this.#outdated !== undefined) {
      const said = "Stamps were lowered in a restored database";
      this.#options.onFailed(new MeridianError("OUT_OF_ORDER", said));
    }
    this.#sentThrough = this.#acknowledgedThrough;
    this.#inFlight = [];
    this.#inFlightBytes = 0;
    this.#options.writes.resume();
    this.pump();
  }

  /** The entry with a new stamp, and as long to live from it as it had from the old one. Its end is put forward only by a time that is confirmed. */
  #restamp(entry: Entry): Entry {
    const { stamps, time } = this.#options;
    const isOutdated = entry.stamp.origin !== stamps.origin;
    const stamp = (isOutdated && this.#outdated?.next(0)) || stamps.next(time.nowMs());
    this.#renewedTime = Math.max(this.#renewedTime, stamp.time);
    const movedMs = this.#endedByStamp(entry)
      ? unixMsOf(stamp.time) - unixMsOf(entry.stamp.time)
      : 0;
    const expiresAtMs = entry.expiresAtMs === 0 ? 0 : Math.max(1, entry.expiresAtMs + movedMs);
    return { ...entry, stamp, expiresAtMs };
  }

  /**
   * Whether the end of an entry was reckoned by the clock that its stamp shows, and is to move with it. A clock that was ahead goes on in the
   * stamps after the time is right again; the ends of what is written then are right.
   */
  #endedByStamp({ stamp, expiresAtMs }: Entry): boolean {
    const isByThatClock = stamp.time < this.#judgedFrom && expiresAtMs >= unixMsOf(stamp.time);
    return isByThatClock && this.#options.time.confirmedMs() !== undefined;
  }

  #noteTime(): void {
    const { time, stamps } = this.#options;
    // Nothing is promised by this: it asks for the next stamp.
    if (this.#judgedFrom === Infinity && time.isTold) this.#judgedFrom = stamps.promise(0);
  }

  #maySend(): boolean {
    return (
      this.#link !== undefined &&
      !this.#restamping &&
      !this.#isHeld &&
      this.#inFlightBytes < this.#options.windowBytes
    );
  }

  #send(frame: OutboxFrame, keys?: readonly string[]): void {
    const { position, count, highestTime, block } = frame;
    const header = {
      kind: FRAME_KIND.entries,
      reportApplied: position <= this.#reportThrough,
      count,
      after: 0,
      through: 0,
      committedThrough: 0,
      highestTime,
      sentAtMs: this.#options.time.ownMs(),
      incarnation: this.#options.store.incarnation,
      position,
    };
    this.#link?.send(assembleFrame(header, block));
    this.#givenThrough = Math.max(this.#givenThrough, position);
    this.#inFlight.push({ frame, keys });
    this.#inFlightBytes += bytesOf(frame);
    this.#sentThrough = position;
  }
}

function firstAbove(bound: number, frames: Iterable<OutboxFrame>): OutboxFrame | undefined {
  for (const frame of frames) if (frame.highestTime > bound) return frame;
  return undefined;
}

function bytesOf({ block }: OutboxFrame): number {
  return FRAME_HEADER_BYTES + block.byteLength;
}

function keysOf({ block, count }: OutboxFrame): string[] {
  return decodeBlock(block, count).map(({ key }) => key);
}

function timesOf({ block, count }: OutboxFrame): number[] {
  return decodeBlock(block, count).map(({ stamp }) => stamp.time);
}
