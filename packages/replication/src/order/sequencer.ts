/**
 * Gives every frame its place in the log: forward, then store, then acknowledge.
 *
 * A frame gets its sequence numbers and goes out to the nodes before it is durable; only then is it committed,
 * and only after that is it acknowledged to its sender and do the nodes' cursors follow. A directory that
 * dies in between has promised nothing: the sender still has the write and offers it again, and a node that
 * merged it early holds nothing that the merge rule would not give it anyway. This holds only if the frame has the same stamps when it is offered
 * again. So a frame waits where the directory could not be sure to admit its stamps after a restart: see `StampCeiling`.
 *
 * Invariant: committedThrough ≤ head ≤ ordered; per outbox, committed position ≤ received position.
 */
import type { Done } from "@meridian/ports";
import {
  assembleFrame,
  blockOf,
  decodeBlock,
  encodeBlock,
  encodeTraces,
  FRAME_KIND,
  hidePosition,
  highestTimeOf,
  isReservedKey,
  MeridianError,
  NO_BYTES,
  orderFrame,
  readFrameHeader,
  type BlockFacts,
  type Cursor,
  type Entry,
  type FrameHeader,
  type LogFrame,
  type OutboxMark,
  type TraceContext,
} from "@meridian/protocol";
import type { DirectoryContext } from "../directory/directory-context.ts";
import { StampCeiling, type CeilingTime } from "../time/stamp-ceiling.ts";
import { Forwarding } from "./forwarding.ts";
import { RecentFrames, type OrderedFrame } from "./recent-frames.ts";
import type { FrameSource } from "./newest-versions.ts";
import { SequenceWaits } from "./sequence-waits.ts";
import { buryStale } from "./stale-entries.ts";

/** Entries of another directory's log that are to be ordered in this one. */
export interface FollowedRun {
  readonly entries: readonly Entry[];
  /** The other log's epoch. It stands where frames of nodes have their incarnation, so that these entries are not sent back there. */
  readonly epoch: number;
  /** What this log has of the other one once the run is durable. */
  readonly followed: Cursor | undefined;
  /** See `LogFrame`. */
  readonly compared?: Cursor | undefined;
  /** What the writes of the frame that brought the entries are parts of. */
  readonly traces?: readonly TraceContext[];
}

/** Why a frame does not go out at once. */
interface Hold {
  isOver: boolean;
}

/** Orders frames: assigns their sequences, appends them to the log, and reports what is committed. */
export class Sequencer implements FrameSource {
  readonly #context: DirectoryContext;
  readonly #recent: RecentFrames;
  /** The last position ordered of each outbox that has sent anything in this epoch. */
  readonly #received = new Map<number, number>();
  /** The position after which each outbox went on when its node last greeted: another log, or a lost tail of this one, took what is before. */
  readonly #expected = new Map<number, number>();
  #pendingBytes = 0;
  /** The same by outbox. */
  readonly #pendingOf = new Map<number, number>();
  #ordered: number;
  #committedThrough: number;
  readonly #ceiling: StampCeiling;
  /** The bound of admitted stamps that is durable, or on its way to the disk. */
  #admitting: number;
  /** Sends out what is ordered. */
  readonly #forwarding: Forwarding;
  /** What waits until the log is committed. */
  readonly #waits = new SequenceWaits();

  constructor(context: DirectoryContext, time: CeilingTime) {
    const { log, limits } = context;
    this.#context = context;
    this.#recent = new RecentFrames(limits.recentBytesMax);
    this.#ordered = log.committedThrough;
    this.#committedThrough = log.committedThrough;
    this.#ceiling = new StampCeiling(log, time);
    this.#admitting = log.admittedTime;
    this.#forwarding = new Forwarding({
      head: log.committedThrough,
      admittedTime: () => log.admittedTime,
      forward: (frame) => {
        this.#recent.push(frame);
        context.events.emit.ordered(frame);
      },
      later: (callback) => context.turns.later(callback),
    });
  }

  /** The sequence of the last entry ordered. */
  get ordered(): number {
    return this.#ordered;
  }

  /** The sequence of the last entry that has gone out. Invariant: ≤ ordered. */
  get head(): number {
    return this.#forwarding.head;
  }

  get committedThrough(): number {
    return this.#committedThrough;
  }

  get keptFrom(): number {
    return this.#recent.start ?? this.head;
  }

  /** The frames in memory that end after `sequence`, in their order, those that have not gone out included. */
  *framesAfter(sequence: number): Generator<OrderedFrame> {
    yield* this.#recent.endingAfter(sequence);
    for (const frame of this.#forwarding.waiting()) if (frame.through > sequence) yield frame;
  }

  /** Calls `run` as soon as everything through `through` is durable. */
  afterCommitted(through: number, run: () => void): void {
    if (through <= this.#committedThrough) run();
    else this.#waits.add(through, run);
  }

  /** The highest stamp time to admit now. */
  timeMax(): number {
    return this.#context.rules.stampsAheadAreRefused ? this.#ceiling.timeMax : Infinity;
  }

  /** Makes durable that stamps a little above the confirmed time are admitted, so that frames need not wait for that. */
  admitAhead(confirmedMs: number): void {
    const bound = this.#ceiling.boundAhead(this.#admitting, confirmedMs);
    if (bound !== undefined) this.#admit(bound);
  }

  /** A directory has admitted that stamp: this one, or another. */
  observe(time: number): void {
    this.#ceiling.observe(time);
  }

  /** A node claims that a directory has admitted that stamp. Throws `CLOCK_AHEAD` if that cannot be. */
  checkClaim(time: number): void {
    const { claimMax } = this.#ceiling;
    if (time <= claimMax) return;
    const said = `Expected a node that has seen stamps up to ${claimMax}, got one that has seen ${time}`;
    throw new MeridianError("CLOCK_AHEAD", `${said}: clocks were wrong by more than a day`);
  }

  /** Bytes of frames that are ordered and not yet durable. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** The same of the frames of one outbox. */
  pendingOf(incarnation: number): number {
    return this.#pendingOf.get(incarnation) ?? 0;
  }

  get recentBytes(): number {
    return this.#recent.bytes;
  }

  /** The last frame of an outbox that is durable. */
  mark(incarnation: number): OutboxMark | undefined {
    return this.#context.log.outboxMark(incarnation);
  }

  /** The position of an outbox through which no frame will come any more: it was ordered here, or taken by another log. */
  received(incarnation: number): number {
    const ordered = this.#received.get(incarnation) ?? this.mark(incarnation)?.position;
    return Math.max(ordered ?? 0, this.#expected.get(incarnation) ?? 0);
  }

  /**
   * Notes that a node will send its outbox after `position`: another log, or a lost tail of this one, took what is before. The node may
   * greet again with a lower position, if it dies before this one is durable there.
   */
  expectAfter(incarnation: number, position: number): void {
    this.#expected.set(incarnation, position);
  }

  /** The recent frame that starts at `after`, if memory still has it. */
  recentAt(after: number): OrderedFrame | undefined {
    return this.#recent.startingAt(after);
  }

  /** Whether a frame is the next of its outbox; false if it was ordered before. Throws `OUT_OF_ORDER` if a frame before it is missing. */
  isNext({ incarnation, position }: FrameHeader): boolean {
    const next = this.received(incarnation) + 1;
    if (position <= next) return position === next;
    const said = `Expected outbox position ${next}, got ${position}`;
    throw new MeridianError("OUT_OF_ORDER", said);
  }

  /**
   * Orders the next frame of a node: writes its sequences into its header, and starts committing it. `facts` are what is known of its
   * entries. Entries that were deleted long ago are replaced by their burials. The bytes belong to the log from here on.
   */
  order(
    bytes: Uint8Array,
    header: FrameHeader,
    facts: BlockFacts,
    horizon: number,
    nowMs: number,
  ): void {
    if (facts.hasReserved)
      this.#context.events.emit.reserved(decodeBlock(blockOf(bytes), header.count));
    const stale =
      facts.lowestTime <= horizon
        ? buryStale(this.#context.log, horizon, bytes, header)
        : undefined;
    if (stale === undefined) return this.#orderFrame(bytes, header, nowMs);
    // The burials go first: if the directory died between the two, the sender would not hear of burials behind its frame.
    this.#orderFrame(stale.burials, readFrameHeader(stale.burials), nowMs);
    this.#orderFrame(stale.buried, header, nowMs);
  }

  #orderFrame(bytes: Uint8Array, header: FrameHeader, nowMs: number): void {
    const { incarnation, position, incomplete, count, highestTime } = header;
    const isAwaited = header.reportApplied;
    const after = this.#ordered;
    const through = after + count;
    orderFrame(bytes, {
      after,
      through,
      committedThrough: this.#committedThrough,
      sentAtMs: nowMs,
    });
    if (incomplete) hidePosition(bytes);
    this.#ordered = through;
    this.#ceiling.admit(highestTime);
    if (position > 0) this.#received.set(incarnation, position);
    const frame = { after, through, incarnation, position, bytes };
    this.#order(frame, { count, highestTime, incomplete, isAwaited }, (failure) => {
      if (failure === undefined) this.#context.events.emit.committed(incarnation, position);
    });
  }

  /** Orders what another directory's log has, and starts committing it. */
  follow(run: FollowedRun, nowMs: number, done: Done): void {
    const { entries, epoch, followed, compared, traces = [] } = run;
    const more = { ...(followed && { followed }), ...(compared && { compared }) };
    const after = this.#ordered;
    const count = entries.length;
    const highestTime = highestTimeOf(entries);
    this.observe(highestTime);
    if (entries.some(({ key }) => isReservedKey(key))) {
      this.#context.events.emit.reserved(entries);
    }
    const order = {
      after,
      through: after + count,
      incarnation: count === 0 ? 0 : epoch,
      position: 0,
    };
    if (count === 0) {
      const frame = { ...order, count, highestTime, block: NO_BYTES };
      return this.#context.log.append({ ...frame, ...more }, this.#committed(after, done));
    }
    const bytes = this.#frameOf(entries, order, { highestTime, nowMs, traces });
    this.#ordered = order.through;
    this.#order({ ...order, bytes }, { count, highestTime, ...more }, done);
  }

  /**
   * Orders an entry that was decided about, as a frame of no outbox, and returns its sequence. The frame goes out once it is durable, and those behind
   * it wait for that. If it went out before, and this directory died, nobody would send the entry again at once, and yet some nodes would have it.
   */
  orderDecided(entry: Entry, nowMs: number, done: Done): number {
    const after = this.#ordered;
    const order = { after, through: after + 1, incarnation: 0, position: 0 };
    const highestTime = entry.stamp.time;
    const bytes = this.#frameOf([entry], order, { highestTime, nowMs, traces: [] });
    this.#ordered = order.through;
    this.#ceiling.admit(highestTime);
    const hold = { isOver: !this.#context.rules.decidedGoesOutDurable };
    this.#order({ ...order, bytes }, { count: 1, highestTime }, done, hold);
    return order.through;
  }

  #frameOf(
    entries: readonly Entry[],
    order: Pick<FrameHeader, "after" | "through" | "incarnation" | "position">,
    more: {
      readonly highestTime: number;
      readonly nowMs: number;
      readonly traces: readonly TraceContext[];
    },
  ): Uint8Array {
    const header = {
      ...order,
      kind: FRAME_KIND.entries,
      reportApplied: false,
      incomplete: false,
      count: entries.length,
      committedThrough: this.#committedThrough,
      highestTime: more.highestTime,
      sentAtMs: more.nowMs,
    };
    return assembleFrame(header, encodeBlock(entries), encodeTraces(more.traces));
  }

  /** Sends the frame out, once `hold` is over, and commits it. The hold is over when the frame is durable. */
  #order(
    frame: OrderedFrame,
    more: Omit<LogFrame, "after" | "through" | "incarnation" | "position" | "block">,
    done: Done,
    hold?: Hold,
  ): void {
    const { after, through, incarnation, position, bytes } = frame;
    this.#addPending(incarnation, bytes.byteLength);
    this.#forward(frame, more.highestTime, hold);
    const { count, highestTime, incomplete = false, isAwaited = true } = more;
    const block = blockOf(bytes);
    // V8 makes a dictionary of an object into which another is spread.
    const plain = {
      after,
      through,
      incarnation,
      position,
      block,
      count,
      highestTime,
      incomplete,
      isAwaited,
    };
    const logged = more.followed === undefined ? plain : { ...plain, ...more };
    const committed: Done = (failure) => {
      if (failure === undefined) this.#addPending(incarnation, -bytes.byteLength);
      done(failure);
    };
    const stored = this.#committed(through, committed);
    if (hold === undefined) return this.#context.log.append(logged, stored);
    this.#context.log.append(logged, (failure) => {
      hold.isOver ||= failure === undefined;
      this.#forwarding.proceed();
      stored(failure);
    });
  }

  /** Sends a frame out, at once if nothing holds it, its stamps are sure to be admitted after a restart, and no frame before it waits. */
  #forward(frame: OrderedFrame, highestTime: number, hold: Hold | undefined): void {
    if (highestTime > this.#admitting) this.#admit(this.#ceiling.boundFor(highestTime));
    const mayGo = hold === undefined ? undefined : (): boolean => hold.isOver;
    this.#forwarding.push(frame, highestTime, mayGo);
  }

  #admit(bound: number): void {
    this.#admitting = bound;
    this.#context.log.admit(bound, (failure) => {
      if (failure === undefined) this.#forwarding.proceed();
      else this.#context.events.emit.failed(failure);
    });
  }

  #addPending(incarnation: number, bytes: number): void {
    this.#pendingBytes += bytes;
    const pending = this.pendingOf(incarnation) + bytes;
    if (pending > 0) this.#pendingOf.set(incarnation, pending);
    else this.#pendingOf.delete(incarnation);
  }

  /** Everything through `through` is durable: acknowledges it, and moves the watermark. */
  #committed(through: number, done: Done): Done {
    return (failure) => {
      if (failure === undefined) {
        this.#forwarding.after(through, () => {
          this.#committedThrough = through;
          this.#recent.trim(through);
          done();
          this.#waits.reach(through);
        });
      } else {
        this.#context.events.emit.failed(failure);
        done(failure);
      }
    };
  }
}
