/**
 * Gives new stamps to what the directory has refused to order because its stamps lie too far ahead.
 *
 * The directory refuses such a frame before anyone has seen it. The node then goes by the directory's clock, and gives new
 * stamps to all in the outbox from that frame on that lies too far ahead: in the old order, above every stamp that any
 * directory has admitted as far as the node knows, and above those of the frames before, which this directory has taken. No
 * write is stamped meanwhile.
 *
 * In a database that was restored from a backup, such a frame may have been sent and replaced long ago. Nobody can tell
 * when it was made, only that it was after what this copy had heard of: so that is where its new stamps lie, and
 * whatever else was written since stands above them.
 */
import {
  asMeridianError,
  decodeBlock,
  encodeBlock,
  highestTimeOf,
  MeridianError,
  unixMsOf,
  type Entry,
  type OutboxFrame,
} from "@meridian/protocol";
import { randomIdentity } from "@meridian/runtime";

import { HybridClock } from "../time/hybrid-clock.ts";
import type { NodeContext } from "./node-context.ts";
import { OutboxWalk } from "./outbox-walk.ts";
import type { Submitter } from "./submitter.ts";
import type { WritePath } from "./write-path.ts";

export class Restamper {
  readonly #context: NodeContext;
  readonly #writes: WritePath;
  readonly #submitter: Submitter;
  readonly #outbox: OutboxWalk;
  #isActive = false;
  /** The highest stamp time given since a frame was refused. */
  #renewedTime = 0;
  /** Gives stamps to what was in the outbox when an older copy of the database was put in its place. */
  #outdated: HybridClock | undefined;
  /** Stamps from here on were given when a directory had told the time. */
  #judgedFrom = Infinity;

  constructor(context: NodeContext, writes: WritePath, submitter: Submitter) {
    this.#context = context;
    this.#writes = writes;
    this.#submitter = submitter;
    this.#outbox = new OutboxWalk(context, (failure) => this.#fail(failure));
  }

  /** The database counts as a new one from here on: it is an older copy of one that went on. */
  adopt(): void {
    const { append, random, events } = this.#context;
    const incarnation = randomIdentity(random);
    this.distrustOutbox();
    append({ kind: "adopt", incarnation }, (failure) => {
      const said = "The node's database has taken a new identity";
      events.emit.failed(failure ?? new MeridianError("INCARNATION_REUSED", said));
    });
  }

  /** What is in the outbox may have been sent, and replaced, by what this database is an older copy of. */
  distrustOutbox(): void {
    const { random, rules } = this.#context;
    this.#outdated = new HybridClock(random, this.#admittedTime, 0, rules);
  }

  /** Takes note of which stamps are given by a time that a directory has told. */
  noteTime(): void {
    const { time, stamps } = this.#context;
    // Nothing is promised by this: it asks for the next stamp.
    if (this.#judgedFrom === Infinity && time.isTold) this.#judgedFrom = stamps.promise(0);
  }

  /** The directory, which admits stamps up to `timeMax`, has refused the frame at `position` for its stamps: it has taken those before. */
  refuse(position: number, timeMax: number): void {
    const { acknowledgedThrough } = this.#submitter;
    const { rules } = this.#context;
    if (!rules.refusedIsRestamped) return;
    if (this.#isActive || position <= acknowledgedThrough) return;
    this.#isActive = true;
    this.#submitter.suspend();
    const { time, logger } = this.#context;
    logger.warn("stamps refused; going by the cluster's time", { aheadMs: time.aheadMs });
    time.obey();
    this.#writes.pause(() => this.#look(position, timeMax));
  }

  /** New stamps lie above what a directory has admitted, and above a horizon. */
  get #admittedTime(): number {
    return Math.max(this.#context.admitted.time, this.#context.store.horizon);
  }

  /** Looks through the outbox for the stamps that stay, and goes on with the rest. */
  #look(position: number, timeMax: number): void {
    // The directory has taken what is before a refused position.
    let taken = 0;
    const { acknowledgedThrough } = this.#submitter;
    const seeTaken = (frame: OutboxFrame): boolean => {
      if (frame.position >= position) return false;
      taken = Math.max(taken, frame.highestTime);
      return true;
    };
    this.#walk(acknowledgedThrough, seeTaken, () => {
      const bound = Math.max(timeMax, this.#admittedTime, taken);
      this.#lookBehind(position, bound, Math.max(this.#admittedTime, taken));
    });
  }

  /** What has a stamp up to `bound` from a position on keeps it, and new ones have to lie above it, or order would be lost. */
  #lookBehind(position: number, bound: number, admittedTime: number): void {
    let highest = admittedTime;
    const see = (frame: OutboxFrame): boolean => {
      const times = frame.highestTime <= bound ? [frame.highestTime] : timesOf(frame);
      for (const time of times) if (time <= bound) highest = Math.max(highest, time);
      return true;
    };
    this.#walk(position - 1, see, () => {
      this.#renewedTime = 0;
      this.#context.stamps.lower(Math.max(highest, this.#admittedTime));
      if (this.#outdated === undefined) return this.#restampAfter(position - 1, bound);
      this.#lookAtOutdated(this.#outdated, bound, () => this.#restampAfter(position - 1, bound));
    });
  }

  /** Stamps up to `bound` of what an older copy of the database had not sent stay, and new ones lie above. */
  #lookAtOutdated(outdated: HybridClock, bound: number, done: () => void): void {
    const { stamps, events } = this.#context;
    const see = ({ block, count }: OutboxFrame): boolean => {
      for (const { stamp } of decodeBlock(block, count)) {
        if (stamp.origin !== stamps.origin && stamp.time <= bound) outdated.observe(stamp.time);
      }
      return true;
    };
    this.#walk(this.#submitter.acknowledgedThrough, see, () => {
      events.emit.outdated();
      done();
    });
  }

  /** This runs when a commit is done, or in a later turn, where nobody else would take a failure. */
  #walk(after: number, see: (frame: OutboxFrame) => boolean, done: () => void): void {
    try {
      this.#outbox.begin(after, see, done);
    } catch (cause) {
      this.#fail(asMeridianError(cause));
    }
  }

  #restampAfter(after: number, refusedAbove: number): void {
    let next: OutboxFrame | undefined;
    const see = (frame: OutboxFrame): boolean => {
      if (frame.highestTime > refusedAbove) next = frame;
      return next === undefined;
    };
    this.#walk(after, see, () => {
      if (next === undefined) this.#end();
      else this.#restampFrame(next, refusedAbove);
    });
  }

  #restampFrame(frame: OutboxFrame, refusedAbove: number): void {
    const { store, append, events } = this.#context;
    const { position } = frame;
    // What has been admitted meanwhile, by whomever, keeps its stamp, and so does what already has a new one.
    const bound = Math.max(refusedAbove, this.#admittedTime, this.#renewedTime);
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
    append({ kind: "restamp", frame: restamped, entries, replaced }, (failure) => {
      if (failure !== undefined) return this.#fail(failure);
      events.emit.restamped(entries);
      this.#restampAfter(position, refusedAbove);
    });
  }

  #fail(failure: MeridianError): void {
    const { store, stamps, events } = this.#context;
    this.#isActive = false;
    this.#submitter.resume();
    // What has kept its stamp is older than any write to come, and must not outdo it.
    stamps.observe(store.highestTime);
    this.#writes.resume();
    events.emit.failed(failure);
  }

  /** Has everything sent again that is not acknowledged; what the directory had taken it passes over. */
  #end(): void {
    this.#isActive = false;
    const { events, rules } = this.#context;
    if (this.#outdated !== undefined && rules.restampingRestartsComparison) {
      const said = "Stamps were lowered in a restored database";
      events.emit.failed(new MeridianError("OUT_OF_ORDER", said));
    }
    this.#submitter.startOver();
    this.#writes.resume();
    this.#submitter.pump();
  }

  /** The entry with a new stamp, and as long to live from it as it had from the old one. Its end is put forward only by a time that is confirmed. */
  #restamp(entry: Entry): Entry {
    const { stamps, time } = this.#context;
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
    return isByThatClock && this.#context.time.confirmedMs() !== undefined;
  }
}

function timesOf({ block, count }: OutboxFrame): number[] {
  return decodeBlock(block, count).map(({ stamp }) => stamp.time);
}
