/**
 * Session positions: what a client has seen elsewhere, and whether this node has it too.
 *
 * A position names a sequence of the log, and the outbox position of a node whose latest writes the log may
 * not have had yet. This node knows the first by what it has applied, and the second by the frames that came
 * in; where those came compacted, or before it started, the directory can tell.
 */
import type { ReplicaStore } from "@meridian/ports";
import {
  MeridianError,
  type DirectoryMessage,
  type Position,
  type Welcome,
} from "@meridian/protocol";
import type { Deadlines } from "@meridian/runtime";

import type { Applier } from "../intake/applier.ts";
import type { Home } from "./home.ts";

/** What the positions need. */
export interface PositionsOptions {
  readonly store: ReplicaStore;
  readonly applier: Applier;
  readonly home: Pick<Home, "seen" | "reachedIn" | "logs">;
  /** How many directories the cluster has, each with a log of its own. */
  readonly directories: number;
  readonly deadlines: Deadlines;
  readonly waitersMax: number;
  isReady(): boolean;
  /** Asks the directory where the log has another node's outbox position. */
  locate(incarnation: number, position: number): void;
}

interface Waiter {
  readonly position: Position;
  readonly finish: (reached: boolean) => void;
}

type Reach = "reached" | "not-yet" | "unknown";

export class Positions {
  readonly #options: PositionsOptions;
  readonly #waiters = new Set<Waiter>();
  /** The epoch of the directory that was heard of last: its sequences say nothing while the node stands in another log. */
  #epoch = 0;
  /** Where that log has other nodes' outboxes, as the directory told. */
  readonly #located = new Map<number, { readonly position: number; readonly sequence: number }>();
  #epochs: Welcome["epochs"] = [];
  /** The node's own outbox is in the log through `position`, somewhere up to `sequence`. */
  #acknowledged = { position: 0, sequence: Infinity };

  constructor(options: PositionsOptions) {
    this.#options = options;
  }

  /** Requests that wait for a position. */
  get waiting(): number {
    return this.#waiters.size;
  }

  /** A directory has taken the node in: what its log has committed holds the outbox through `position`. */
  restart({ epoch, epochs, committedThrough: sequence }: Welcome, position: number): void {
    this.#epoch = epoch;
    this.#epochs = epochs;
    this.#located.clear();
    this.#acknowledged = { position, sequence };
    for (const waiter of this.#waiters) {
      if (this.#test(waiter.position) === "unknown") this.#locate(waiter.position);
    }
  }

  /** The directory has committed the outbox through `position`, and its log through `sequence`. */
  acknowledge(position: number, sequence: number): void {
    if (position > this.#acknowledged.position) this.#acknowledged = { position, sequence };
  }

  /** What a client that is answered now has seen. */
  current(): Position {
    const { store, home } = this.#options;
    const { outboxThrough, incarnation } = store;
    const isPending = outboxThrough > this.#sequenced();
    return {
      ...home.seen,
      incarnation: isPending ? incarnation : 0,
      outboxPosition: isPending ? outboxThrough : 0,
    };
  }

  /** Resolves to whether the position is reached within `waitMs`. Rejects with `OVERLOADED` if too many wait. */
  reach(position: Position, waitMs: number): Promise<boolean> {
    const known = this.#test(position);
    if (known === "reached") return Promise.resolve(true);
    if (this.#waiters.size >= this.#options.waitersMax) {
      const said = `Expected at most ${this.#options.waitersMax} requests waiting for a position`;
      return Promise.reject(new MeridianError("OVERLOADED", `${said}, got one more`));
    }
    if (known === "unknown") this.#locate(position);
    return new Promise((resolve) => {
      const cancel = this.#options.deadlines.after(waitMs, () => waiter.finish(false));
      const waiter: Waiter = {
        position,
        finish: (reached) => {
          cancel();
          this.#waiters.delete(waiter);
          resolve(reached);
        },
      };
      this.#waiters.add(waiter);
    });
  }

  /** Lets go of everyone whose position is reached. */
  check(): void {
    for (const waiter of this.#waiters) {
      if (this.#test(waiter.position) === "reached") waiter.finish(true);
    }
  }

  onLocated(message: Extract<DirectoryMessage, { type: "located" }>): void {
    const { incarnation, position, sequence } = message;
    if (sequence === null) return;
    if (this.#located.size >= this.#options.waitersMax) this.#located.clear();
    this.#located.set(incarnation, { position, sequence });
    this.check();
  }

  /** Lets go of everyone. */
  close(): void {
    for (const waiter of this.#waiters) waiter.finish(false);
  }

  /** The last of the node's own positions that the place covers which a client is told. */
  #sequenced(): number {
    const { store, applier } = this.#options;
    // Until the node has settled, that is a place in the log that it has left.
    if (!applier.isSettled) return 0;
    const { position, sequence } = this.#acknowledged;
    // An acknowledgement may come before the place in the log that it is about.
    const isThere = applier.epoch === this.#epoch && applier.applied >= sequence;
    return Math.max(applier.positionOf(store.incarnation) ?? 0, isThere ? position : 0);
  }

  #locate({ incarnation, outboxPosition }: Position): void {
    this.#options.locate(incarnation, outboxPosition);
  }

  #test(position: Position): Reach {
    const { store, applier } = this.#options;
    const { incarnation, outboxPosition } = position;
    if (!this.#hasSequence(position)) return "not-yet";
    if (outboxPosition === 0) return "reached";
    if (incarnation === store.incarnation) {
      return outboxPosition <= store.outboxThrough ? "reached" : "not-yet";
    }
    if ((applier.positionOf(incarnation) ?? 0) >= outboxPosition) {
      return applier.wholeThrough === applier.applied ? "reached" : "not-yet";
    }
    const located = this.#located.get(incarnation);
    if (located === undefined || located.position < outboxPosition) return "unknown";
    const isThere = applier.epoch === this.#epoch && applier.wholeThrough >= located.sequence;
    return isThere ? "reached" : "not-yet";
  }

  /**
   * A sequence beyond the end of an older epoch was never committed; what it stood for comes again from its
   * node's outbox. In another log the node knows its place if its directory follows that log; an epoch of it that is unheard
   * of may be going on where this directory cannot reach. Of a log that no directory has, or an epoch that this log has
   * lost, a sequence says nothing: once this node is ready, it and its log have exchanged all they have.
   */
  #hasSequence({ logId, epoch, sequence }: Position): boolean {
    const { applier, home } = this.#options;
    const reached = logId === 0 ? undefined : home.reachedIn({ logId, epoch });
    if (reached !== undefined && sequence <= reached) return true;
    if (!applier.isSettled && sequence > 0) return false;
    if (logId !== applier.logId) {
      return logId === 0 || (this.#isNobodys(logId) && this.#options.isReady());
    }
    const index = this.#epochs.findIndex(([known]) => known === epoch);
    if (index < 0 && epoch !== applier.epoch) return sequence === 0 || this.#options.isReady();
    const end = index < 0 ? Infinity : (this.#epochs[index + 1]?.[1] ?? Infinity);
    return applier.wholeThrough >= Math.min(sequence, end);
  }

  /** Whether no directory has that log any more: those of all of them are known, and it is none of them. */
  #isNobodys(logId: number): boolean {
    const { applier, home, directories } = this.#options;
    const logs = new Set([...home.logs, applier.logId]);
    return !logs.has(logId) && logs.size >= directories;
  }
}
