/**
 * Where a node is at home: the log that has everything that the node has.
 *
 * A node's data are in the log of its directory through some sequence, but for the outbox that nobody has
 * acknowledged. So any other directory that has that log through there lacks nothing, and one that has it
 * almost through there lacks only what the newest frames brought: the node remembers their keys and
 * sends them again. Where neither can be told, node and directory reconcile.
 *
 * Beside its home a node knows places in other logs before which it has everything: where it stood when it left
 * them, and what its directory says that its own log has of them. From there it can be fed by their directories.
 *
 * Invariant: what is durable as the cursor covers what is durable as acknowledged. So a node that restarts is at
 * home where its cursor is, and remembers the keys of what it has had beyond that, as far as its store has kept them.
 */
import type { ReplicaStore } from "@meridian/ports";
import {
  cursorIn,
  isPurgeable,
  withCursor,
  type Cursor,
  type Hello,
  type TailRun,
  type Welcome,
} from "@meridian/protocol";

import type { Applier } from "../intake/applier.ts";
import { RecentKeys } from "./recent-keys.ts";

/** What a home needs. */
export interface HomeOptions {
  readonly store: ReplicaStore;
  readonly applier: Applier;
  onFailed(failure: unknown): void;
}

/** What a directory's log had of other logs when it was committed through `at`. */
interface Claim {
  readonly at: number;
  readonly followed: readonly Cursor[];
}

/** A log that the node is fed from and that is not its home yet. */
interface Arrival {
  /** The log has everything that the node has through here, once nothing is owed. */
  through: number;
  /** Something is being sent again that the log may not have. */
  owes: boolean;
}

interface Acknowledged {
  readonly position: number;
  /** The log was committed through here when that was heard; infinite where it was another log, or another epoch. */
  readonly through: number;
}

/** The home of a node that cannot tell: no log has that id. */
const UNKNOWN: Readonly<Cursor> = { logId: 0, epoch: 0, sequence: 0 };

export class Home {
  readonly #options: HomeOptions;
  /** Undefined for a node that no directory has ever taken in. */
  #home: Cursor | undefined;
  #keys: RecentKeys;
  #arrival: Arrival | undefined;
  #others: readonly Cursor[];
  #savedOthers: readonly Cursor[];
  /** How far the node was in the epoch that it left last: further than its cursor by what was not committed. */
  #left: Cursor | undefined;
  /** How far it had everything there: less than that in the middle of a compacted part. */
  #leftWhole: Cursor | undefined;
  /** The first that is not reached, and the newest: newer ones must not put the first off for ever. */
  #claims: readonly Claim[] = [];
  /** Acknowledgements that are not saved: the first that the cursor has not reached, and the newest. */
  #acknowledged: readonly Acknowledged[] = [];
  #savable: number;
  /** The highest place in the log of what has become savable. */
  #savableThrough = 0;
  /**
   * A node that has just started may hold more than what its cursor covers, of frames that no directory has committed. Where its
   * store does not tell their keys, they come again while the epoch of its cursor lasts: from here on it has them all.
   */
  #completeFrom: number;

  constructor(options: HomeOptions) {
    const { cursor, others, outboxAcknowledged } = options.store;
    this.#options = options;
    this.#keys = new RecentKeys(cursor?.sequence ?? 0);
    this.#others = this.#savedOthers = others;
    this.#savable = outboxAcknowledged;
    const tail = tailOf(options.store);
    for (const { place, keys } of tail ?? []) this.#keys.add(place.sequence, keys);
    const through = Math.max(cursor?.sequence ?? 0, tail?.at(-1)?.place.sequence ?? 0);
    this.#home = cursor && { ...cursor, sequence: through };
    this.#completeFrom = tail === undefined ? Infinity : 0;
  }

  /** The last outbox position that may durably count as acknowledged, as `save` has found it. */
  get savable(): number {
    return this.#savable;
  }

  /** Whether the node is not on its way from one log to another. */
  get hasArrived(): boolean {
    return this.#arrival === undefined;
  }

  /** For the node's introduction: where it may be fed from, and what has everything that it has. */
  get places(): Pick<Hello, "cursors" | "home"> {
    const { cursor } = this.#options.applier;
    const cursors = cursor === undefined ? this.#others : withCursor(this.#others, cursor);
    return { cursors: [...cursors], home: this.#home ?? null };
  }

  /** The place in a log that covers everything that a client of this node can have seen, its outbox left out. */
  get seen(): Cursor {
    const { applier } = this.#options;
    return applier.isSettled ? applier.place : (this.#left ?? applier.place);
  }

  /** How far the node has that epoch of a log that it is not fed from; undefined if it does not know. */
  reachedIn(log: Pick<Cursor, "logId" | "epoch">): number | undefined {
    const other = cursorIn(this.#others, log);
    const left = this.#leftWhole && cursorIn([this.#leftWhole], log);
    if (other === undefined && left === undefined) return undefined;
    return Math.max(other?.sequence ?? 0, left?.sequence ?? 0);
  }

  /** The logs that this node or its directory has been following. */
  get logs(): ReadonlySet<number> {
    const followed = this.#claims.flatMap((claim) => claim.followed);
    return new Set([...this.#others, ...followed].map(({ logId }) => logId));
  }

  /**
   * The directory feeds the node. Returns the keys of what its log may lack, to be sent again, and `paid` called when
   * they are durably in the outbox; undefined if nobody can tell what it lacks, and the two have to reconcile.
   */
  arrive(welcome: Welcome): readonly string[] | undefined {
    const { applier } = this.#options;
    const { logId, epoch, resumeAfter, homeThrough, committedThrough } = welcome;
    const home = this.#home;
    const isSameLog = home?.logId === logId;
    // A node that has lost what was on its way to the disk is back where its cursor is, in another log perhaps. And
    // another directory may have told of a place here that is further than where the node stands.
    const stands = applier.logId === logId && applier.epoch === epoch;
    const isHere = stands && isSameLog && home.epoch === epoch && resumeAfter <= applier.applied;
    if (isHere && applier.isSettled) {
      this.#completeFrom = Math.min(this.#completeFrom, welcome.head);
      this.advance();
      return [];
    }
    const missing = home === undefined ? [] : this.#keys.after(homeThrough);
    if (missing === undefined || home?.logId === UNKNOWN.logId) return undefined;
    if (this.#completeFrom > 0) return undefined;
    if (missing.some((key) => this.#isForgotten(key))) return undefined;
    if (!isSameLog) this.#leave(resumeAfter);
    else {
      this.#keys.cut(homeThrough);
      this.#noteLeft();
    }
    applier.resume({ logId, epoch, sequence: resumeAfter }, welcome.head);
    const elsewhere = home === undefined ? 0 : committedThrough;
    const through = isSameLog ? homeThrough : elsewhere;
    this.#suspendAcknowledged();
    this.#arrival = { through, owes: missing.length > 0 };
    this.advance();
    return missing;
  }

  /** Whether the horizon has passed what this node has of a key: there is nothing to send of it, and it may still mean something to others. */
  #isForgotten(key: string): boolean {
    const { store } = this.#options;
    if (store.horizon === 0) return false;
    const held = store.get(key);
    return held === undefined || isPurgeable(held, store.horizon);
  }

  /** What the log may have lacked is in the outbox, durably. Returns whether the node is still fed from that log. */
  paid(): boolean {
    if (this.#arrival === undefined) return false;
    this.#arrival.owes = false;
    this.advance();
    return true;
  }

  /** The node is to reconcile: until that is over, nobody can tell what has everything that it has. */
  unsettle(): void {
    if (this.#options.applier.isSettled) this.#leave(0);
    this.#suspendAcknowledged();
    this.#arrival = undefined;
    this.#home = { ...UNKNOWN };
  }

  /** Node and log have exchanged all that differed. */
  settle(): void {
    const { applier } = this.#options;
    applier.settle();
    this.#completeFrom = 0;
    this.#keys.raiseFloor(applier.committedThrough);
    this.#settleAt(Math.max(applier.applied, applier.committedThrough));
    this.advance();
  }

  /** A frame that ends with `through` has brought these keys. */
  onTaken(through: number, keys: readonly string[]): void {
    this.#keys.add(through, keys);
  }

  /** The outbox is committed through `position`, the log through `through`; these keys have come into it. */
  onAcknowledged(position: number, through: number, keys: readonly string[]): void {
    this.#keys.add(through, keys);
    this.#acknowledged = [...this.#acknowledged.slice(0, 1), { position, through }];
    this.#raise(through);
  }

  /** A directory has taken the node in, and had these keys of its outbox although that was not known. */
  onWelcome({ outboxThrough, committedThrough, followed }: Welcome, keys: readonly string[]): void {
    if (keys.length > 0) this.onAcknowledged(outboxThrough, committedThrough, keys);
    this.observe(committedThrough, followed);
  }

  /** Takes note of what the log had of other logs when it was committed through `at`. */
  observe(at: number, followed: readonly Cursor[]): void {
    if (followed.length === 0) return;
    this.#claims = [...this.#claims.slice(0, 1), { at, followed }];
    this.advance();
  }

  /** `applied` has moved, or something that is waited for has happened. */
  advance(): void {
    const { applier } = this.#options;
    if (applier.applied >= this.#completeFrom) this.#completeFrom = 0;
    if (applier.isSettled) this.#takeClaims(applier.durableThrough);
    const arrival = this.#arrival;
    if (arrival === undefined) {
      if (applier.isSettled) this.#raise(applier.applied);
    } else if (!arrival.owes && applier.applied >= arrival.through) {
      applier.settle();
      this.#settleAt(applier.applied);
    }
  }

  /** The link is down. A node that had not quite arrived cannot tell any more where it is at home. */
  onDown(): void {
    this.#claims = [];
    if (this.#arrival === undefined) return;
    this.#others = withCursor(this.#others, this.#options.applier.whole);
    this.#arrival = undefined;
    this.#home = { ...UNKNOWN };
  }

  /** Makes the places in other logs durable, if they have moved. To be called when the cursor has just been saved. */
  save(): void {
    const { applier, store } = this.#options;
    // What is not durable yet may fail to become so, and the cursor go back with it.
    const covered = Math.min(applier.whole.sequence, applier.durableThrough);
    if (applier.cursor !== undefined) this.#findSavable(covered);
    if (this.#others === this.#savedOthers) return;
    this.#savedOthers = this.#others;
    store.append({ kind: "progress", others: this.#others }, (failure) => {
      if (failure === undefined) return;
      this.#savedOthers = store.others;
      this.#options.onFailed(failure);
    });
  }

  /** Something was not made durable, the cursor perhaps: what it was to cover waits again until it does. */
  onLost(): void {
    const durable = this.#options.store.outboxAcknowledged;
    if (this.#savable <= durable) return;
    const again = { position: this.#savable, through: this.#savableThrough };
    this.#acknowledged = [again, ...this.#acknowledged.slice(-1)];
    this.#savable = durable;
  }

  #findSavable(covered: number): void {
    const isCovered = ({ through }: Acknowledged): boolean => through <= covered;
    for (const { position, through } of this.#acknowledged.filter(isCovered)) {
      this.#savable = Math.max(this.#savable, position);
      this.#savableThrough = Math.max(this.#savableThrough, through);
    }
    this.#acknowledged = this.#acknowledged.filter((each) => !isCovered(each));
  }

  #takeClaims(applied: number): void {
    for (const claim of this.#claims) {
      if (claim.at > applied) return;
      for (const cursor of claim.followed) {
        if (cursor.sequence <= (cursorIn(this.#others, cursor)?.sequence ?? -1)) continue;
        this.#others = withCursor(this.#others, cursor);
      }
      this.#claims = this.#claims.slice(1);
    }
  }

  #leave(floor: number): void {
    const { applier } = this.#options;
    this.#keys = new RecentKeys(floor);
    if (applier.cursor === undefined) return;
    this.#others = withCursor(this.#others, applier.whole);
    this.#noteLeft();
  }

  /** What a client of this node has seen is known by this place, until the node has settled in another. */
  #noteLeft(): void {
    const { applier } = this.#options;
    if (!applier.isSettled) return;
    this.#left = applier.place;
    this.#leftWhole = { ...applier.place, sequence: applier.wholeThrough };
  }

  /** The log has everything that the node has through here at least. */
  #raise(sequence: number): void {
    const { applier } = this.#options;
    const place = this.#arrival ?? this.#home;
    if (place === undefined) return;
    if ("owes" in place) place.through = Math.max(place.through, sequence);
    else if (place.logId === applier.logId) place.sequence = Math.max(place.sequence, sequence);
  }

  #settleAt(sequence: number): void {
    const { logId, epoch } = this.#options.applier;
    this.#arrival = undefined;
    this.#home = { logId, epoch, sequence };
    const newest = this.#acknowledged.at(-1);
    if (newest === undefined) return;
    const through = newest.through === Infinity ? sequence : Math.max(newest.through, sequence);
    this.#acknowledged = [{ ...newest, through }];
  }

  /** What was acknowledged counts in the log that is left: where it is in the next one is known once the node has settled there. */
  #suspendAcknowledged(): void {
    this.#acknowledged = this.#acknowledged.map((each) => ({ ...each, through: Infinity }));
  }
}

/** What a node holds of the log of its cursor beyond that; undefined where nobody can tell, or where it holds something of another. */
function tailOf({ cursor, tail }: ReplicaStore): readonly TailRun[] | undefined {
  if (cursor === undefined) return [];
  const isHere = ({ place }: TailRun): boolean =>
    place.logId === cursor.logId && place.epoch === cursor.epoch;
  return tail?.every(isHere) === true ? tail : undefined;
}
