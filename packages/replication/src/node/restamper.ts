/**
 * Gives new stamps to what the directory has refused to order because its stamps lie too far ahead.
 *
 * The directory refuses such a frame before anyone has seen it. The node then goes by the directory's clock, and gives new
 * stamps to all in the outbox from that frame on that lies too far ahead: in the old order, above every stamp that any
 * directory has admitted as far as the node knows, and above those of the frames before, which this directory has taken. No
 * write is stamped meanwhile.
 *
 * What a database that was restored from a backup had not sent may have been sent and replaced long ago, with other stamps. Nobody can
 * tell when it was made, only that it was after what this copy had heard of: so that is where it gets new stamps, before any of it
 * is sent, and whatever else was written since stands above them.
 */
import {
  asMeridianError,
  compareStamps,
  decodeBlock,
  encodeBlock,
  highestTimeOf,
  MeridianError,
  replaces,
  stampTimeOf,
  unixMsOf,
  type Entry,
  type OutboxFrame,
  type Stamp,
  type Welcome,
} from "@meridian/protocol";
import { randomIdentity } from "@meridian/runtime";

import { HybridClock } from "../time/hybrid-clock.ts";
import type { NodeContext } from "./node-context.ts";
import { OutboxWalk } from "./outbox-walk.ts";
import type { Submitter } from "./submitter.ts";
import type { WritePath } from "./write-path.ts";

/** Gives new stamps to the part of the outbox that a directory has refused for its stamps. */
export class Restamper {
  readonly #context: NodeContext;
  readonly #writes: WritePath;
  readonly #submitter: Submitter;
  readonly #outbox: OutboxWalk;
  #isActive = false;
  /** Whether new stamps go to what an older copy of the database had not sent, and not to what a directory has refused. */
  #isRenewing = false;
  /** Whether the outbox of an older copy still has to be stamped anew. Invariant: while it has, the submitter is suspended. */
  #owesRenewal = false;
  /** The highest stamp time given since a frame was refused. */
  #renewedTime = 0;
  /** By what time new stamps are given. It stands still, so that few new stamps get above old ones that are still to be replaced. */
  #renewalMs = 0;
  /** Whether most clocks contradict the directory that has refused. Then the old stamps do not show that this node's clock was wrong. */
  #isContradicted = false;
  /** Stamps the frames that were in the outbox when an older copy of the database was put in its place; undefined without such a copy. */
  #outdated: HybridClock | undefined;
  /** The first stamp time that was issued after a directory had told the time. */
  #judgedFrom = Infinity;

  constructor(context: NodeContext, writes: WritePath, submitter: Submitter) {
    this.#context = context;
    this.#writes = writes;
    this.#submitter = submitter;
    this.#outbox = new OutboxWalk(context, (failure) => this.#fail(failure));
  }

  /** Gives the database a new identity, because it is an older copy of a database that went on. */
  adopt(): void {
    const { append, random, events, logger } = this.#context;
    logger.warn("the database is a restored copy; it takes a new identity");
    if (this.#isActive) return;
    const incarnation = randomIdentity(random);
    // A copy that dies meanwhile has its old identity, and is found to be a copy again.
    this.renewOutbox(() => {
      append({ kind: "adopt", incarnation }, (failure) => {
        const said = "The node's database has taken a new identity";
        events.emit.failed(failure ?? new MeridianError("INCARNATION_REUSED", said));
      });
    });
  }

  /** Whether stamps are being renewed; `renewed` is emitted once they are not. */
  get isActive(): boolean {
    return this.#isActive;
  }

  /**
   * What gives the outbox new stamps before anything of it may be sent to the directory that takes the node in; undefined where nothing has to. The link
   * begins anew behind that.
   */
  renewalDue({
    outboxThrough,
    outboxTime,
  }: Pick<Welcome, "outboxThrough" | "outboxTime">): (() => void) | undefined {
    if (this.#submitter.holdsAnother(outboxThrough, outboxTime)) return () => this.adopt();
    return this.#owesRenewal && !this.#isActive ? () => this.#renewOwed() : undefined;
  }

  /** Tries again to make stamps of an older copy durable. */
  #renewOwed(): void {
    const said = "What a restored copy had not sent is stamped anew";
    this.renewOutbox(() =>
      this.#context.events.emit.failed(new MeridianError("OUT_OF_ORDER", said)),
    );
  }

  /**
   * The database from which this one was copied may have sent, with other stamps, and replaced what the outbox holds. Gives that new
   * stamps, before any of it is sent, and then calls `done`.
   */
  renewOutbox(done: () => void): void {
    const { random, rules, events } = this.#context;
    const bound = this.#admittedTime;
    this.#outdated = new HybridClock(random, bound, 0, rules);
    this.#owesRenewal = this.#isActive = this.#isRenewing = true;
    this.#submitter.suspend();
    const { acknowledgedThrough } = this.#submitter;
    this.#writes.pause(() => {
      let isAhead = false;
      const see = (frame: OutboxFrame): boolean => {
        isAhead = frame.highestTime > bound;
        return !isAhead;
      };
      this.#walk(acknowledgedThrough, see, () => {
        if (!isAhead) return this.#endRenewal(done);
        events.emit.outdated();
        this.#renewedTime = 0;
        this.#restampAfter(acknowledgedThrough, bound, () => {
          this.#compareAnew();
          this.#endRenewal(done);
        });
      });
    });
  }

  #endRenewal(done: () => void): void {
    this.#isActive = this.#isRenewing = this.#owesRenewal = false;
    this.#submitter.startOver();
    this.#writes.resume();
    done();
    this.#context.events.emit.renewed();
    this.#submitter.pump();
  }

  /** Notes the first stamp that is issued after a directory has told the time. */
  noteTime(): void {
    const { time, stamps } = this.#context;
    // `promise(0)` promises nothing; it returns the time of the next stamp.
    if (this.#judgedFrom === Infinity && time.isTold) this.#judgedFrom = stamps.promise(0);
  }

  /** The directory has taken the frames before `position`, and refused the frame at `position`: it admits stamps up to `timeMax`. */
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

  /** The highest stamp time that a directory has admitted, or the horizon if that is higher. New stamps lie above it. */
  get #admittedTime(): number {
    return Math.max(this.#context.admitted.time, this.#context.store.horizon);
  }

  /** Finds the highest stamp in the frames before `position`, which stay as they are, and goes on with the frames from `position` on. */
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

  /** From `position` on, entries with stamps up to `bound` keep them. New stamps lie above all kept ones, so that writes keep their order. */
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
      const nowMs = this.#context.time.nowMs();
      this.#isContradicted = stampTimeOf(nowMs) > bound;
      this.#renewalMs = this.#isContradicted ? unixMsOf(bound) : nowMs;
      const restamp = (): void => this.#restampAfter(position - 1, bound, () => this.#end());
      if (this.#outdated === undefined) return restamp();
      this.#lookAtOutdated(this.#outdated, bound, restamp);
    });
  }

  /** Entries that an older copy of the database had not sent keep their stamps up to `bound`. New stamps lie above them. */
  #lookAtOutdated(outdated: HybridClock, bound: number, done: () => void): void {
    const { stamps, events } = this.#context;
    const see = ({ block, count }: OutboxFrame): boolean => {
      for (const { stamp } of decodeBlock(block, count)) {
        if (!stamps.hasIssued(stamp) && stamp.time <= bound) outdated.observe(stamp.time);
      }
      return true;
    };
    this.#walk(this.#submitter.acknowledgedThrough, see, () => {
      events.emit.outdated();
      done();
    });
  }

  /** This runs after a commit or in a later turn, where no caller catches an error. */
  #walk(after: number, see: (frame: OutboxFrame) => boolean, done: () => void): void {
    try {
      this.#outbox.begin(after, see, done);
    } catch (cause) {
      this.#fail(asMeridianError(cause));
    }
  }

  #restampAfter(after: number, refusedAbove: number, done: () => void): void {
    let next: OutboxFrame | undefined;
    const see = (frame: OutboxFrame): boolean => {
      if (frame.highestTime > refusedAbove) next = frame;
      return next === undefined;
    };
    this.#walk(after, see, () => {
      if (next === undefined) return done();
      const { position } = next;
      this.#restampFrame(next, refusedAbove, () =>
        this.#restampAfter(position, refusedAbove, done),
      );
    });
  }

  #restampFrame(frame: OutboxFrame, refusedAbove: number, done: () => void): void {
    const { store, append, events } = this.#context;
    const { position } = frame;
    const made = new Map<string, Entry>();
    const offered = decodeBlock(frame.block, frame.count);
    const old = offered.map((entry) => this.#standIn(entry, refusedAbove));
    const entries = old.map((entry, index) => {
      const { time } = entry.stamp;
      // An entry that stands in for another one has its new stamp already. An entry whose stamp a directory has admitted meanwhile keeps it.
      const isOld = this.#isOutdated(entry);
      const isBelow = time <= this.#renewedTime;
      const isAdmitted = time <= this.#admittedTime && !isBelow;
      const isKept = time <= refusedAbove || isAdmitted || entry !== offered[index];
      // The entry that replaced this one here comes later in the outbox, and has to get a higher stamp.
      if (isAdmitted && isOld) this.#outdated?.observe(time);
      // What is below new stamps was written by another node, or by this one before them: that has to get above them.
      if (isKept || (isOld ? isBelow : this.#isRenewing)) return entry;
      // New stamps have risen above old ones. So a write that is in the outbox twice may have one copy with its new stamp and one without.
      if (isBelow) this.#submitter.doubt();
      const name = `${entry.stamp.time} ${entry.stamp.origin} ${entry.key}`;
      const renewed = made.get(name) ?? this.#restamp(entry);
      made.set(name, renewed);
      return renewed;
    });
    const restamped = {
      position,
      count: frame.count,
      highestTime: highestTimeOf(entries),
      block: encodeBlock(entries),
    };
    const replaced = old.map(({ stamp }) => stamp);
    const takenBack = replaced.filter((stamp, at) => this.#isTakenBack(stamp, entries[at]));
    if (takenBack.length > 0) events.emit.takingBack();
    append({ kind: "restamp", frame: restamped, entries, replaced, takenBack }, (failure) => {
      if (failure !== undefined) return this.#fail(failure);
      const isCurrent = ({ key, stamp }: Entry): boolean =>
        store.peek(key)?.stamp.time === stamp.time;
      const lowered = entries.filter((entry, index) => entry !== old[index] && isCurrent(entry));
      if (lowered.length > 0) events.emit.restamped(lowered);
      done();
    });
  }

  /**
   * The entry that stands in for an entry which may be refused. Each write of a key gets a new stamp of its own. The writes that have theirs already
   * lie below those that still wait, and the store holds the newest of these; so a walk that is cut off leaves them in order. The store holds an
   * older stamp than the entry only if an earlier frame had the same write, which has its new stamp already. With a second new stamp, the write would
   * exist twice, once above what has replaced it since.
   */
  #standIn(entry: Entry, bound: number): Entry {
    if (entry.stamp.time <= bound) return entry;
    const { store } = this.#context;
    const held = store.peek(entry.key);
    return held !== undefined && replaces(entry, held) ? (store.get(entry.key) ?? entry) : entry;
  }

  #fail(failure: MeridianError): void {
    const { store, stamps, events } = this.#context;
    this.#isActive = this.#isRenewing = false;
    if (!this.#owesRenewal) this.#submitter.resume();
    this.#submitter.doubt();
    // An entry that kept its stamp is older than any write to come, and must not win over one.
    stamps.observe(store.highestTime);
    this.#writes.resume();
    events.emit.failed(failure);
    events.emit.renewed();
  }

  /** Has the submitter send again everything that is not acknowledged. The directory passes over what it has taken already. */
  #end(): void {
    this.#isActive = false;
    if (this.#outdated !== undefined) this.#compareAnew();
    this.#submitter.startOver();
    this.#writes.resume();
    this.#context.events.emit.renewed();
    this.#submitter.pump();
  }

  /** What came in meanwhile may have lost against a stamp that is lower now. */
  #compareAnew(): void {
    const { events, rules } = this.#context;
    if (!rules.restampingRestartsComparison) return;
    const said = "Stamps were lowered in a restored database";
    events.emit.failed(new MeridianError("OUT_OF_ORDER", said));
  }

  /**
   * The entry with a new stamp and the time to live that it had from the old one. Example: stamped at 12:00 to expire at 12:10, and
   * stamped anew at 11:00, it expires at 11:10. The expiry moves only while a majority confirms the time.
   */
  #restamp(entry: Entry): Entry {
    const { stamps } = this.#context;
    const stamp =
      (this.#isOutdated(entry) && this.#outdated?.next(0)) || stamps.next(this.#renewalMs);
    this.#renewedTime = Math.max(this.#renewedTime, stamp.time);
    const movedMs = this.#endedByStamp(entry)
      ? unixMsOf(stamp.time) - unixMsOf(entry.stamp.time)
      : 0;
    const expiresAtMs = entry.expiresAtMs === 0 ? 0 : Math.max(1, entry.expiresAtMs + movedMs);
    return { ...entry, stamp, expiresAtMs };
  }

  /** Whether nobody counts the old stamp any more. What a copy of a database had not sent, the original may have sent with it. */
  #isTakenBack(stamp: Stamp, renewed: Entry | undefined): boolean {
    if (renewed === undefined || compareStamps(renewed.stamp, stamp) === 0) return false;
    return this.#outdated === undefined || this.#context.stamps.hasIssued(stamp);
  }

  /** Whether an entry was written before the database was opened. */
  #isOutdated({ stamp }: Entry): boolean {
    return !this.#context.stamps.hasIssued(stamp);
  }

  /**
   * Whether the expiry of an entry was reckoned by the wrong clock that its stamp shows, and has to move with the stamp. Stamps stay ahead
   * after the clock has been put right; what is written from then on has the right expiry.
   */
  #endedByStamp({ stamp, expiresAtMs }: Entry): boolean {
    if (this.#isContradicted) return false;
    const isByThatClock = stamp.time < this.#judgedFrom && expiresAtMs >= unixMsOf(stamp.time);
    return isByThatClock && this.#context.time.confirmedMs() !== undefined;
  }
}

function timesOf({ block, count }: OutboxFrame): number[] {
  return decodeBlock(block, count).map(({ stamp }) => stamp.time);
}
