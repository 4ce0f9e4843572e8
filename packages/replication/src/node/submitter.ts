/**
 * Sends the outbox to the directory, in order, and keeps it until the directory has committed it.
 *
 * Invariant: acknowledged ≤ sent ≤ durable. On a new link, the submitter starts again after what is acknowledged. The directory knows the positions
 * that it has taken, and skips them.
 */
import type { Link } from "@meridian/ports";
import {
  asMeridianError,
  assembleFrame,
  decodeBlock,
  FRAME_BYTES_TARGET,
  FRAME_KIND,
  INCOMPLETE_OUTBOX,
  lowestTimeOf,
  MeridianError,
  replaces,
  TRACES,
  type DirectoryMessage,
  type Entry,
  type OutboxFrame,
  type Welcome,
} from "@meridian/protocol";

import { PendingTimes } from "../horizon/pending-times.ts";
import { checkHorizon, checkOutboxPosition } from "../link/directory-claims.ts";
import { FRAME_COST, TurnWork } from "../turn-work.ts";
import type { NodeContext, WriteFacts } from "./node-context.ts";
import { OutboxTraces } from "./outbox-traces.ts";
import { OutboxWalk } from "./outbox-walk.ts";

interface InFlight {
  readonly frame: OutboxFrame;
  /** The keys of the frame's entries; undefined if they have not been decoded. */
  readonly keys: readonly string[] | undefined;
  /** As it was sent. */
  readonly bytes: number;
}

/** Sends the frames of the outbox in order, within a window, and notes which of them are committed. */
export class Submitter {
  readonly #context: NodeContext;
  #link: Link | undefined;
  /** The last position that was sent on any link. */
  #givenThrough = 0;
  /** The last position that the outbox had when this process started. */
  readonly #startedAt: number;
  #sentThrough = 0;
  #acknowledgedThrough: number;
  /** The frames sent and not acknowledged, oldest first. */
  #inFlight: InFlight[] = [];
  #inFlightBytes = 0;
  /** Once the log has the frames through this position, it has everything that any log has acknowledged. */
  #completeFrom: number;
  /** Whether frames before `#completeFrom` carry the flag `incomplete`. */
  #saysIncomplete = false;
  /** For frames through this position the directory reports which nodes have applied them. */
  #reportThrough = 0;
  /** Whether the outbox is being stamped anew. Nothing is sent meanwhile. */
  #isSuspended = false;
  /** Whether the directory cannot write its log. Frames that were sent now would only wait there. */
  #isHeld = false;
  /** Frames through this position may hold writes that the store has with lower stamps, because giving new ones was cut off. */
  #doubtfulThrough: number;
  #savedThrough: number;
  readonly #times: PendingTimes;
  readonly #traces = new OutboxTraces();
  readonly #work: TurnWork;
  readonly #walk: OutboxWalk;

  constructor(context: NodeContext) {
    const { outboxThrough, outboxAcknowledged } = context.store;
    this.#context = context;
    this.#startedAt = outboxThrough;
    // Entries that a log lacked stand in the last frame from before the start at the latest.
    this.#completeFrom = outboxThrough;
    this.#doubtfulThrough = outboxThrough;
    this.#acknowledgedThrough = this.#savedThrough = outboxAcknowledged;
    this.#times = new PendingTimes(outboxThrough);
    this.#times.acknowledge(this.#acknowledgedThrough);
    this.#work = new TurnWork(
      (callback) => context.turns.later(callback),
      () => this.#pumpLater(),
    );
    this.#walk = new OutboxWalk(context, (failure) => context.events.emit.failed(failure));
  }

  /**
   * New stamps lie above the horizon. Throws `MALFORMED_MESSAGE` for a horizon that leaves no room for them. Any lower horizon may be
   * true, even above the clock: clocks may have been set back since.
   */
  observeHorizon({ horizon }: { readonly horizon: number }): void {
    checkHorizon(horizon);
    this.#context.stamps.observe(horizon);
  }

  /** Throws `MALFORMED_MESSAGE` if the directory names a position that this node has never sent. */
  check(message: DirectoryMessage): void {
    // Frames from before the start may have been sent before it.
    checkOutboxPosition(message, Math.max(this.#givenThrough, this.#startedAt));
  }

  get acknowledgedThrough(): number {
    return this.#acknowledgedThrough;
  }

  /** Positions that the directory has not committed. */
  get pending(): number {
    return this.#context.store.outboxThrough - this.#acknowledgedThrough;
  }

  /** A lower bound of the stamp times in the frames that the directory has not committed; infinite if there are none. */
  get lowestTime(): number {
    return this.#times.lowestTime;
  }

  /** Bytes that were sent and are not acknowledged. */
  get inFlightBytes(): number {
    return this.#inFlightBytes;
  }

  /** Whether any frame is not acknowledged, or waits because the directory takes no frames now. */
  get waiting(): boolean {
    return this.#inFlight.length > 0 || (this.#isHeld && this.pending > 0);
  }

  /** Whether the directory takes no frames now. */
  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** With `isHeld`, sends nothing until it is called again, or a new link begins. */
  hold(isHeld: boolean): void {
    if (isHeld === this.#isHeld) return;
    this.#isHeld = isHeld;
    if (isHeld) this.#context.logger.warn("the directory cannot write its log; the outbox waits");
    this.pump();
  }

  /**
   * Whether the outbox holds another frame at `position` than the one that a directory has committed there,
   * whose highest stamp time it tells: then this database is a copy of one that went on. A frame whose stamp this node has taken back is its own: another
   * directory has refused it since.
   */
  holdsAnother(position: number, highestTime: number): boolean {
    const { store, rules } = this.#context;
    if (position <= store.outboxAcknowledged || !rules.restoredCopyIsNoticed) return false;
    const [frame] = store.outboxAfter(position - 1, 1);
    if (frame?.position !== position || frame.highestTime === highestTime) return false;
    return !store.takenBack.hasTime(highestTime);
  }

  /**
   * Starts sending on a new link, after what the directory says it has committed, unless it is to hold back. Calls `onAttached` then, with
   * the keys of what was not known to be committed until now: not all where there are more than a node remembers.
   */
  attach(
    link: Link,
    { outboxThrough: committed, holdBack, features }: Welcome,
    onAttached: (keys: readonly string[]) => void,
  ): void {
    this.detach();
    this.#isHeld = holdBack;
    this.#saysIncomplete = features.includes(INCOMPLETE_OUTBOX);
    this.#traces.areTaken = features.includes(TRACES);
    const { recentKeysMax } = this.#context.limits;
    const keys: string[] = [];
    const done = (): void => {
      this.acknowledge(committed);
      this.#sentThrough = this.#acknowledgedThrough;
      this.#link = link;
      this.pump();
      onAttached(keys);
    };
    if (committed <= this.#acknowledgedThrough) return done();
    // The directory has committed these frames; only its acknowledgement was lost.
    let isLess = false;
    const see = (frame: OutboxFrame): boolean => {
      if (frame.position > committed) return false;
      this.#context.admitted.raise(frame.highestTime);
      if (keys.length > recentKeysMax && frame.position > this.#doubtfulThrough) return true;
      const entries = decodeBlock(frame.block, frame.count);
      isLess ||= this.#hasLess(frame.position, entries);
      if (keys.length <= recentKeysMax) keys.push(...entries.map(({ key }) => key));
      return true;
    };
    this.#walk.begin(this.#acknowledgedThrough, see, () => {
      done();
      if (isLess) this.#reportLess();
    });
  }

  /** The log may lack writes that other logs have acknowledged, until `complete` names the position that completes it. */
  lack(): void {
    this.#completeFrom = Infinity;
  }

  /** Once the log has the frames through `position`, it has everything that any log has acknowledged. */
  complete(position: number): void {
    this.#completeFrom = position;
  }

  detach(): void {
    this.#walk.stop();
    this.#link = undefined;
    this.#isHeld = false;
    this.#inFlight = [];
    this.#inFlightBytes = 0;
  }

  /** Sends a frame that has just become durable, if everything before it has been sent and the window has room. */
  offer(
    frame: OutboxFrame,
    entries: readonly Entry[],
    { reportApplied, traces }: Pick<WriteFacts, "reportApplied" | "traces">,
  ): void {
    this.#times.add(frame.position, lowestTimeOf(entries));
    this.#traces.note(frame.position, traces);
    if (reportApplied) this.#reportThrough = frame.position;
    if (frame.position !== this.#sentThrough + 1 || !this.#maySend()) return;
    this.#send(
      frame,
      entries.map(({ key }) => key),
    );
  }

  /** Sends what the window has room for. */
  pump(): void {
    const { store } = this.#context;
    while (this.#maySend() && this.#sentThrough < store.outboxThrough && this.#work.mayGoOn()) {
      const frames = store.outboxAfter(this.#sentThrough, FRAME_BYTES_TARGET);
      if (frames.length === 0) return;
      for (const frame of frames) {
        this.#work.spend(FRAME_COST, frame.block.byteLength);
        this.#send(frame);
      }
    }
  }

  /** Catches what is thrown in a later turn, where no caller is left. */
  #pumpLater(): void {
    try {
      this.pump();
    } catch (failure) {
      this.#context.events.emit.failed(asMeridianError(failure));
    }
  }

  /** The directory has committed the outbox through `position`. Returns the keys of what was in flight until there. */
  acknowledge(position: number): readonly string[] {
    if (position <= this.#acknowledgedThrough) return [];
    this.#acknowledgedThrough = Math.min(position, this.#context.store.outboxThrough);
    this.#times.acknowledge(this.#acknowledgedThrough);
    this.#traces.forget(this.#acknowledgedThrough);
    const next = this.#inFlight.findIndex(({ frame }) => frame.position > position);
    const done = this.#inFlight.splice(0, next < 0 ? this.#inFlight.length : next);
    let isLess = false;
    const keys: string[] = [];
    for (const { frame, keys: known, bytes } of done) {
      this.#context.admitted.raise(frame.highestTime);
      this.#inFlightBytes -= bytes;
      const isDoubtful = frame.position <= this.#doubtfulThrough;
      const entries = known && !isDoubtful ? [] : decodeBlock(frame.block, frame.count);
      isLess ||= this.#hasLess(frame.position, entries);
      keys.push(...(known ?? entries.map(({ key }) => key)));
    }
    this.pump();
    if (isLess) this.#reportLess();
    return keys;
  }

  /** Makes durable how far the outbox is acknowledged, through `savable` at most, so that the store can forget it. */
  save(savable: number): void {
    const through = Math.min(savable, this.#acknowledgedThrough);
    if (through <= this.#savedThrough) return;
    this.#savedThrough = through;
    const record = { kind: "progress", outboxThrough: this.#savedThrough } as const;
    this.#context.append(record, (failure) => {
      if (failure === undefined) return;
      this.#savedThrough = this.#context.store.outboxAcknowledged;
      this.#context.events.emit.failed(failure);
    });
  }

  /** Sends nothing until it is resumed or starts over, because frames get new stamps. */
  suspend(): void {
    this.#isSuspended = true;
  }

  resume(): void {
    this.#isSuspended = false;
  }

  /** Giving new stamps was interrupted: the outbox may hold a write twice, once with its new stamp and once with its old one. */
  doubt(): void {
    this.#doubtfulThrough = this.#context.store.outboxThrough;
  }

  /** Whether a frame of this node that the log has contains newer entries than the store. */
  #hasLess(position: number, entries: readonly Entry[]): boolean {
    if (position > this.#doubtfulThrough) return false;
    return entries.some((entry) => {
      const held = this.#context.store.peek(entry.key);
      return held !== undefined && replaces(entry, held);
    });
  }

  /** The log has newer stamps of this node's writes than the node. The directory does not send a node its own writes, so the two have to reconcile. */
  #reportLess(): void {
    this.#context.events.emit.outdated();
    const said = "The log has writes of this node with higher stamps than the node";
    this.#context.events.emit.failed(new MeridianError("OUT_OF_ORDER", said));
  }

  /** Frames have got new stamps: from the next `pump` on, sends everything again that is not acknowledged. */
  startOver(): void {
    this.#isSuspended = false;
    this.#times.forget(this.#context.store.outboxThrough);
    this.#sentThrough = this.#acknowledgedThrough;
    this.#inFlight = [];
    this.#inFlightBytes = 0;
  }

  #maySend(): boolean {
    return (
      this.#link !== undefined &&
      !this.#isSuspended &&
      !this.#isHeld &&
      this.#inFlightBytes < this.#context.limits.windowBytes
    );
  }

  #send(frame: OutboxFrame, keys?: readonly string[]): void {
    const { position, count, highestTime, block } = frame;
    const header = {
      kind: FRAME_KIND.entries,
      reportApplied: position <= this.#reportThrough,
      incomplete: this.#saysIncomplete && position < this.#completeFrom,
      count,
      after: 0,
      through: 0,
      committedThrough: 0,
      highestTime,
      sentAtMs: this.#context.time.ownMs(),
      incarnation: this.#context.store.incarnation,
      position,
    };
    const bytes = assembleFrame(header, block, this.#traces.extensionOf(position));
    this.#link?.send(bytes);
    this.#givenThrough = Math.max(this.#givenThrough, position);
    this.#inFlight.push({ frame, keys, bytes: bytes.byteLength });
    this.#inFlightBytes += bytes.byteLength;
    this.#sentThrough = position;
  }
}
