/**
 * What the neighbours of a node have written and nobody has ordered yet, as far as the node was told.
 *
 * A directory that does not write the log passes the frames of its nodes on to the one that does, and gives them to its other nodes at once. They come
 * here with their place in an outbox and without one in the log. They are served, and counted by the clock, as what the log has; and nothing else
 * of the node knows of them. They are in memory only: neither the store has them, nor a cursor, a digest or a comparison. So a node that dies has
 * never had them, and nothing has to be taken back where a frame is ordered in another way than it came, or never.
 *
 * - A frame ends here when the log brings the frame of its place, whatever that has in it.
 * - What the log has not brought after `earlyMs` becomes a write of this node's outbox, with the stamps that it has: clients have seen it, and its own
 *   node may be lost.
 * - A position that clients are told names the outboxes whose frames are here, and how far they go.
 * - What has no room is not taken: it comes again in the order of the log.
 */
import {
  asMeridianError,
  BURIAL_ORIGIN,
  compareStamps,
  EARLY,
  isReservedKey,
  lowestTimeOf,
  replaces,
  type Entry,
  type OutboxPlace,
  type Welcome,
} from "@meridian/protocol";
import type { EntryMark } from "@meridian/ports";

import type { LogPosition } from "../intake/log-position.ts";
import type { ReceivedFrame } from "../intake/applier.ts";
import type { NodeContext } from "./node-context.ts";

interface EarlyFrame {
  readonly incarnation: number;
  readonly position: number;
  readonly entries: readonly Entry[];
  readonly bytes: number;
  readonly lowestTime: number;
  readonly cameAtMs: number;
  /** Whether it is on its way into the node's own outbox. */
  isOffered: boolean;
}

/** What of a node's context is needed. */
type EarlyContext = Pick<
  NodeContext,
  "store" | "limits" | "clock" | "deadlines" | "stamps" | "admitted" | "events"
>;

/** The outboxes that frames may be of at a time: a position names all of them. */
const EARLY_OUTBOXES_MAX = 8;

/** Of how many outboxes it is remembered how far they have come here. */
const OUTBOXES_REMEMBERED_MAX = 4_096;

const NOWHERE: readonly OutboxPlace[] = [];

/** Keeps what has come early until the log brings it. */
export class EarlyEntries {
  readonly #context: EarlyContext;
  /** The frames of each outbox, in the order of their positions. Invariant: no list is empty. */
  readonly #frames = new Map<number, EarlyFrame[]>();
  /** The newest entry of each key in them. */
  readonly #newest = new Map<string, Entry>();
  #bytes = 0;
  #places = NOWHERE;
  /** The position through which everything of an outbox has come here, early or in the log; of those of which something came early. */
  readonly #reached = new Map<number, number>();
  /** Whether that was agreed on with the directory. */
  #isAgreed = false;
  #isWatching = false;

  constructor(context: EarlyContext) {
    this.#context = context;
  }

  /** The outboxes of the frames that are here, with the last position of each. The same list as long as they are the same. */
  get places(): readonly OutboxPlace[] {
    return this.#places;
  }

  /** The keys of what is here, in no order. */
  get keys(): Iterable<string> {
    return this.#newest.keys();
  }

  get isEmpty(): boolean {
    return this.#newest.size === 0;
  }

  /** What the entries take in memory, about. */
  get bytes(): number {
    return this.#bytes;
  }

  /** A lower bound of the stamp times of what this node may still send; infinite for nothing. */
  get lowestTime(): number {
    let lowest = Infinity;
    for (const frames of this.#frames.values()) {
      for (const { lowestTime } of frames) lowest = Math.min(lowest, lowestTime);
    }
    return lowest;
  }

  /** The newest entry of a key, whether the log has it or not; tombstones and expired ones included. */
  get(key: string): Entry | undefined {
    return this.newer(key, this.#context.store.get(key));
  }

  /** The newer one of `held`, which the store has of the key, and what has come early. */
  newer<Held extends EntryMark>(key: string, held: Held | undefined): Held | Entry | undefined {
    if (this.#newest.size === 0) return held;
    const early = this.#newest.get(key);
    return early !== undefined && replaces(early, held) ? early : held;
  }

  /** Those of `entries`, which the log has brought, that were not told when they came early. */
  news(entries: readonly Entry[]): readonly Entry[] {
    if (this.#newest.size === 0) return entries;
    return entries.filter((entry) => {
      const early = this.#newest.get(entry.key);
      return early === undefined || compareStamps(entry.stamp, early.stamp) > 0;
    });
  }

  /** Whether everything of an outbox through that position has come here, and some of it early. */
  has(incarnation: number, position: number): boolean {
    return (this.#reached.get(incarnation) ?? 0) >= position;
  }

  /** A directory has taken the node in. */
  welcome({ features }: Pick<Welcome, "features">): void {
    this.#isAgreed = features.includes(EARLY);
  }

  /** The disk has refused entries: the node has less than what came. */
  onLosing(): void {
    this.#reached.clear();
  }

  /**
   * Takes a frame in that has come early, unless the node has it already, or it is to wait for its place in the log. Returns false if none was to be sent.
   * `position` is where the node stands.
   */
  take({ header, entries, block }: ReceivedFrame, position: LogPosition): boolean {
    if (!this.#isAgreed) return false;
    const { incarnation, position: place, highestTime } = header;
    // Whoever is behind has more to take in than this.
    const isLevel = position.isSettled && position.wholeThrough === position.applied;
    const whole = Math.max(
      position.positionOf(incarnation) ?? 0,
      this.#reached.get(incarnation) ?? 0,
    );
    const known = Math.max(whole, this.#frames.get(incarnation)?.at(-1)?.position ?? 0);
    if (!isLevel || place <= known || !this.#mayTake(incarnation, entries, block.byteLength)) {
      return true;
    }
    const { stamps, admitted, clock, events, store } = this.#context;
    stamps.observe(highestTime);
    admitted.raise(highestTime);
    const news = entries.filter((entry) =>
      replaces(entry, this.newer(entry.key, store.peek(entry.key))),
    );
    for (const entry of news) this.#newest.set(entry.key, entry);
    this.#add({
      incarnation,
      position: place,
      entries,
      bytes: block.byteLength,
      lowestTime: lowestTimeOf(entries),
      cameAtMs: clock.elapsedMs(),
      isOffered: false,
    });
    if (place === whole + 1) this.#remember(incarnation, place);
    events.emit.changed(news);
    this.#watch();
    return true;
  }

  /** The log has brought what an outbox has at that position. To be called once the store has it. */
  settle(incarnation: number, position: number): void {
    const frames = this.#frames.get(incarnation);
    if (frames === undefined || position === 0) return;
    const left = frames.findIndex((frame) => frame.position > position);
    this.#drop(incarnation, frames.splice(0, left < 0 ? frames.length : left));
  }

  /** Whether the frame is one that the log takes in as it is, wherever this node stands in it, and has room here. */
  #mayTake(incarnation: number, entries: readonly Entry[], bytes: number): boolean {
    const { store, limits } = this.#context;
    const isOwn = incarnation === store.incarnation;
    const hasRoom =
      this.#bytes + bytes <= limits.earlyBytesMax &&
      this.#newest.size + entries.length <= limits.earlyKeysMax &&
      (this.#frames.has(incarnation) || this.#frames.size < EARLY_OUTBOXES_MAX);
    if (isOwn || !hasRoom || !store.takenBack.isEmpty) return false;
    return entries.every(
      ({ key, stamp, attributes }) =>
        stamp.time > store.horizon &&
        stamp.origin !== BURIAL_ORIGIN &&
        attributes === undefined &&
        !isReservedKey(key),
    );
  }

  #add(frame: EarlyFrame): void {
    const frames = this.#frames.get(frame.incarnation);
    if (frames === undefined) this.#frames.set(frame.incarnation, [frame]);
    else frames.push(frame);
    this.#bytes += frame.bytes;
    this.#name();
  }

  /** The frames of an outbox are over. */
  #drop(incarnation: number, dropped: readonly EarlyFrame[]): void {
    if (dropped.length === 0) return;
    const { store, events } = this.#context;
    const gone: Entry[] = [];
    for (const { entries, bytes } of dropped) {
      this.#bytes -= bytes;
      for (const entry of entries) {
        if (this.#newest.get(entry.key) !== entry) continue;
        this.#newest.delete(entry.key);
        if (replaces(entry, store.peek(entry.key))) gone.push(entry);
      }
    }
    if (this.#frames.get(incarnation)?.length === 0) {
      this.#frames.delete(incarnation);
      this.#name();
    }
    // The log has the frame with lower stamps: whoever caches these keys drops them.
    if (gone.length > 0) events.emit.restamped(gone);
  }

  #name(): void {
    this.#places = Array.from(this.#frames, ([incarnation, frames]) => ({
      incarnation,
      outboxPosition: frames.at(-1)?.position ?? 0,
    }));
  }

  #remember(incarnation: number, position: number): void {
    if (this.#reached.size >= OUTBOXES_REMEMBERED_MAX) this.#reached.clear();
    this.#reached.set(incarnation, position);
  }

  /** Looks again and again, as long as anything is here. */
  #watch(): void {
    if (this.#isWatching) return;
    this.#isWatching = true;
    const { deadlines, limits } = this.#context;
    deadlines.after(limits.earlyMs / 4, () => {
      this.#isWatching = false;
      if (this.#frames.size > 0) this.#watch();
      try {
        this.#offerOverdue();
      } catch (cause) {
        // The store may be unreadable, and no caller is left.
        this.#context.events.emit.failed(asMeridianError(cause));
      }
    });
  }

  #offerOverdue(): void {
    const { clock, limits, store } = this.#context;
    const cameBeforeMs = clock.elapsedMs() - limits.earlyMs;
    for (const [incarnation, frames] of this.#frames) {
      const overdue = frames.filter(
        ({ cameAtMs, isOffered }) => cameAtMs <= cameBeforeMs && !isOffered,
      );
      const entries = overdue
        .flatMap((frame) => frame.entries)
        .filter((entry) => replaces(entry, store.peek(entry.key)));
      if (entries.length === 0) this.#leave(incarnation, overdue);
      else this.#offer(incarnation, overdue, entries);
    }
  }

  #offer(incarnation: number, frames: readonly EarlyFrame[], entries: readonly Entry[]): void {
    for (const frame of frames) frame.isOffered = true;
    this.#context.events.emit.overdue(entries, (failure) => {
      if (failure === undefined) this.#leave(incarnation, frames);
      else for (const frame of frames) frame.isOffered = false;
    });
  }

  /** Drops frames without a word of the log. */
  #leave(incarnation: number, left: readonly EarlyFrame[]): void {
    const frames = this.#frames.get(incarnation);
    const dropped = left.filter((frame) => frames?.includes(frame));
    if (frames === undefined || dropped.length === 0) return;
    frames.splice(0, frames.length, ...frames.filter((frame) => !dropped.includes(frame)));
    this.#drop(incarnation, dropped);
    this.#name();
  }
}
