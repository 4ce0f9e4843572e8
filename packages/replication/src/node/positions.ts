/**
 * Session positions: what a client has seen elsewhere, and whether this node has it too.
 *
 * A position names a sequence of the log, and the outbox position of a node whose latest writes the log may
 * not have had yet. This node knows the first by what it has applied, and the second by the frames that came
 * in; where those came compacted, or before it started, the directory can tell.
 *
 * Invariant: nothing is guessed. An epoch that the node has not heard of may be newer than its own: the directory may have
 * restarted while the old link still seems to live. So the node asks its directory, and only the answer proves that
 * the directory is still in the epoch of its `welcome`, and that the unheard-of epoch is lost.
 */
import {
  MeridianError,
  type Cursor,
  type DirectoryMessage,
  type OutboxPlace,
  type Position,
  type Welcome,
} from "@meridian/protocol";

import type { LogPosition } from "../intake/log-position.ts";
import type { ReplicaLink } from "../link/replica-link.ts";
import type { Home } from "./home.ts";
import type { NodeContext } from "./node-context.ts";
import type { ServingState } from "./serving-state.ts";

/** The parts of a node that know where it stands. */
export interface PositionsParts {
  readonly position: LogPosition;
  readonly home: Pick<Home, "seen" | "reachedIn" | "logs">;
  readonly state: Pick<ServingState, "status">;
  readonly link: Pick<ReplicaLink<never>, "send">;
}

interface Waiter {
  readonly position: Position;
  /** The last question to the directory about this position, on this link, as text. */
  asked: string | undefined;
  readonly finish: (reached: boolean) => void;
}

/**
 * Whether a position is reached. A place is one of which the directory is asked: where its log has what an outbox has there, or, with an epoch and
 * a sequence in it, whether that epoch is lost.
 */
type Reach = "reached" | "not-yet" | OutboxPlace;

const NO_PLACE: Cursor = { logId: 0, epoch: 0, sequence: 0 };

/** Decides whether a node has reached a session position, and lets requests wait until it has. */
export class Positions {
  readonly #context: NodeContext;
  readonly #parts: PositionsParts;
  readonly #waiters = new Set<Waiter>();
  /** The newest epoch of the directory that the node has heard of. While the node stands in another log, its sequences are not comparable. */
  #epoch = 0;
  /** What the directory was asked on this link and has not answered, as text. */
  readonly #asked = new Set<string>();
  /** Where the directory's log has other nodes' outbox positions, as the directory answered. */
  readonly #located = new Map<number, { readonly position: number; readonly sequence: number }>();
  #epochs: Welcome["epochs"] = [];
  /** Epochs of which the directory has answered, in the epoch of its last `welcome`, that they are none of its own. */
  readonly #lost = new Set<number>();
  /** How often the disk has refused what clients may have seen. */
  #losses = 0;
  /** The place that clients were told before the last of these losses. */
  #lostPlace = NO_PLACE;
  /** The log holds the node's own outbox through `position`, at or before `sequence`. */
  #acknowledged = { position: 0, sequence: Infinity };

  constructor(context: NodeContext, parts: PositionsParts) {
    this.#context = context;
    this.#parts = parts;
  }

  /** Requests that wait for a position. */
  get waiting(): number {
    return this.#waiters.size;
  }

  /** A directory has taken the node in: what its log has committed holds the outbox through `position`. To be followed by a `check`. */
  restart({ epoch, epochs, committedThrough: sequence }: Welcome, position: number): void {
    this.#epoch = epoch;
    this.#epochs = epochs;
    this.#asked.clear();
    this.#located.clear();
    this.#lost.clear();
    this.#acknowledged = { position, sequence };
    for (const waiter of this.#waiters) waiter.asked = undefined;
  }

  /** The directory has committed the outbox through `position`, and its log through `sequence`. */
  acknowledge(position: number, sequence: number): void {
    if (position > this.#acknowledged.position) this.#acknowledged = { position, sequence };
  }

  /** How often the disk has refused entries, which takes the node back to an earlier place: to be given to `current`. */
  get losses(): number {
    return this.#losses;
  }

  /** The disk has refused entries, and the node is about to go back to `cursor`. */
  onLosing(cursor: Cursor | undefined): void {
    this.#context.early.onLosing();
    const { seen } = this.#parts.home;
    const { logId, epoch, sequence } = cursor ?? NO_PLACE;
    // Many records may be refused together: with the first, the node is back already.
    if (seen.logId === logId && seen.epoch === epoch && seen.sequence <= sequence) return;
    this.#lostPlace = laterPlace(this.#lostPlace, seen);
    this.#losses += 1;
  }

  /**
   * The position of everything that a client has seen once it gets an answer now to a request that came when there had been `losses` losses. A request that has been
   * under way during one may have seen what was refused, or have been let in because the node had it.
   */
  current(losses: number = this.#losses): Position {
    const { outboxThrough, incarnation } = this.#context.store;
    const { seen } = this.#parts.home;
    const place = losses === this.#losses ? seen : laterPlace(seen, this.#lostPlace);
    const isPending = outboxThrough > (place === seen ? this.#sequenced() : 0);
    // Each answer to a client asks for this: spreading `place` made a hit cost a fifth more.
    const { logId, epoch, sequence } = place;
    const position = {
      logId,
      epoch,
      sequence,
      incarnation: isPending ? incarnation : 0,
      outboxPosition: isPending ? outboxThrough : 0,
    };
    const { places } = this.#context.early;
    return places.length === 0 ? position : { ...position, early: places };
  }

  /** Whether the position is reached already. */
  hasReached(position: Position): boolean {
    return this.#test(position) === "reached";
  }

  /** Resolves to whether the position is reached within `waitMs`. Rejects with `OVERLOADED` if too many wait. */
  reach(position: Position, waitMs: number): Promise<boolean> {
    const known = this.#test(position);
    if (known === "reached") return Promise.resolve(true);
    const { deadlines, limits } = this.#context;
    if (this.#waiters.size >= limits.waitersMax) {
      const { waitersMax: max } = limits;
      const said = `Expected at most ${max} requests waiting for a position, got one more`;
      return Promise.reject(new MeridianError("OVERLOADED", said, { details: { max } }));
    }
    return new Promise((resolve) => {
      const cancel = deadlines.after(waitMs, () => waiter.finish(false));
      const waiter: Waiter = {
        position,
        asked: undefined,
        finish: (reached) => {
          cancel();
          this.#waiters.delete(waiter);
          resolve(reached);
        },
      };
      this.#waiters.add(waiter);
      this.#ask(waiter, known);
    });
  }

  /** Ends the wait of every request whose position is reached, and asks the directory about the others where it may know more. */
  check(): void {
    for (const waiter of this.#waiters) {
      const reach = this.#test(waiter.position);
      if (reach === "reached") waiter.finish(true);
      else this.#ask(waiter, reach);
    }
  }

  /** Throws `MALFORMED_MESSAGE` for an answer to what was not asked. */
  onLocated(message: Extract<DirectoryMessage, { type: "located" }>): void {
    const { incarnation, position, sequence } = message;
    if (!this.#asked.delete(questionOf(incarnation, position))) {
      const said = `position ${position} of outbox ${incarnation}`;
      throw new MeridianError("MALFORMED_MESSAGE", `Expected no word of ${said}: nobody asked`);
    }
    if (sequence === null) return this.#onNowhere(incarnation);
    if (this.#located.size >= this.#context.limits.waitersMax) this.#located.clear();
    this.#located.set(incarnation, { position, sequence });
    this.check();
  }

  /** Ends every wait. */
  close(): void {
    for (const waiter of this.#waiters) waiter.finish(false);
  }

  /** The last outbox position of this node that is covered by the place in the log which clients are told. */
  #sequenced(): number {
    const { store } = this.#context;
    const { position: place } = this.#parts;
    // Until the node has settled, clients are told a place in the log that the node has left.
    if (!place.isSettled) return 0;
    const { position, sequence } = this.#acknowledged;
    // An acknowledgement may come before the frame in which the log carries the position.
    const isThere = place.epoch === this.#epoch && place.applied >= sequence;
    return Math.max(place.positionOf(store.incarnation) ?? 0, isThere ? position : 0);
  }

  #ask(waiter: Waiter, reach: Reach): void {
    if (typeof reach === "string") return;
    const { incarnation, outboxPosition } = reach;
    const question = questionOf(incarnation, outboxPosition);
    if (question === waiter.asked) return;
    waiter.asked = question;
    this.#locate(incarnation, outboxPosition);
  }

  /** Asks the directory where the log has another node's outbox position, unless it was asked and has not answered. */
  #locate(incarnation: number, position: number): void {
    const { limits, time } = this.#context;
    const question = questionOf(incarnation, position);
    if (this.#asked.has(question) || this.#asked.size >= limits.waitersMax) return;
    this.#asked.add(question);
    const nowMs = time.ownMs();
    this.#parts.link.send({ type: "locate", nowMs, incarnation, position });
  }

  /** The directory has answered, in the epoch of its `welcome`, that its log has no such outbox. */
  #onNowhere(id: number): void {
    const isAsked = [...this.#waiters].some(({ position }) => position.epoch === id);
    if (!isAsked) return;
    if (this.#lost.size >= this.#context.limits.waitersMax) this.#lost.clear();
    this.#lost.add(id);
    this.check();
  }

  #test(position: Position): Reach {
    const reach = this.#testSequence(position);
    if (reach !== "reached") return reach;
    for (const place of [position, ...(position.early ?? [])]) {
      const outbox = this.#testOutbox(place);
      if (outbox !== "reached") return outbox;
    }
    return "reached";
  }

  #testOutbox({ incarnation, outboxPosition }: OutboxPlace): Reach {
    const { store, early } = this.#context;
    const { position: place } = this.#parts;
    if (outboxPosition === 0 || early.has(incarnation, outboxPosition)) return "reached";
    if (incarnation === store.incarnation) {
      return outboxPosition <= store.outboxThrough ? "reached" : "not-yet";
    }
    // Before the node has settled, its clients are told a place that does not cover the frames which come meanwhile.
    const { isAbreast } = place;
    if ((place.positionOf(incarnation) ?? 0) >= outboxPosition) {
      return isAbreast && place.wholeThrough === place.applied ? "reached" : "not-yet";
    }
    const located = this.#located.get(incarnation);
    if (located === undefined || located.position < outboxPosition) {
      return { incarnation, outboxPosition };
    }
    const isThere = place.epoch === this.#epoch && place.wholeThrough >= located.sequence;
    return isAbreast && isThere ? "reached" : "not-yet";
  }

  /**
   * The node knows its place in another log if its directory follows that log. An epoch that the node has not heard of may be the present one of a
   * directory which this one cannot reach.
   *
   * A sequence beyond the end of an older epoch was ordered and never committed. It stands for writes that are still in
   * the outboxes of nodes that the position does not name, so only a node that had applied it knows that it has them.
   */
  #testSequence({ logId, epoch, sequence }: Position): Reach {
    const { position: place, home } = this.#parts;
    if (logId === 0 || sequence === 0) return "reached";
    const reached = home.reachedIn({ logId, epoch });
    if (reached !== undefined && sequence <= reached) return "reached";
    if (!place.isAbreast) return "not-yet";
    if (logId !== place.logId)
      return this.#isFollowed(logId) ? "not-yet" : this.#testUnheard(epoch, sequence);
    const index = this.#epochs.findIndex(([known]) => known === epoch);
    if (index < 0 && epoch !== place.epoch) return this.#testUnheard(epoch, sequence);
    const end = index < 0 ? Infinity : (this.#epochs[index + 1]?.[1] ?? Infinity);
    return sequence <= end && place.wholeThrough >= sequence ? "reached" : "not-yet";
  }

  /** A sequence of a lost epoch says nothing. Once this node is ready, it and its log have exchanged all they have. */
  #testUnheard(epoch: number, sequence: number): Reach {
    if (!this.#lost.has(epoch)) return { incarnation: epoch, outboxPosition: sequence };
    return this.#parts.state.status === "ready" ? "reached" : "not-yet";
  }

  /** Whether that log may be another directory's: then this node hears of it when its own directory has followed it. */
  #isFollowed(logId: number): boolean {
    return this.#context.directories > 1 || this.#parts.home.logs.has(logId);
  }
}

/** The later one of two places in the same epoch of a log, else the second. */
function laterPlace(a: Cursor, b: Cursor): Cursor {
  return a.logId === b.logId && a.epoch === b.epoch && a.sequence >= b.sequence ? a : b;
}

function questionOf(incarnation: number, position: number): string {
  return `${incarnation}.${position}`;
}
