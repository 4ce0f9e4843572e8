/**
 * The home of a node: the log that holds everything that the node holds.
 *
 * Everything that a node stores, except its unacknowledged outbox, is in its directory's log up to a known sequence. This log and sequence are the
 * node's home. Another directory that has followed the log up to the sequence lacks nothing of the node. One that has followed it almost so far lacks only
 * what the newest frames brought: the node remembers their keys, and sends their entries again. If neither is certain, node and directory reconcile.
 *
 * Besides its home, a node knows places in other logs up to which it has everything: the places at which it left those logs, and what its directory says
 * that its own log has of them. The directories of these logs can feed the node from there.
 *
 * Invariant: the durable cursor covers the part of the outbox that is durably acknowledged. So a node that restarts is at home at its cursor, and
 * remembers the keys of the entries after it, as far as its store has kept them.
 */
import type { ReplicaStore } from "@meridian/ports";
import {
  cursorIn,
  withCursor,
  type Cursor,
  type Hello,
  type TailRun,
  type Welcome,
} from "@meridian/protocol";

import type { Applier } from "../intake/applier.ts";
import type { LogPosition } from "../intake/log-position.ts";
import type { NodeContext } from "./node-context.ts";
import { RecentKeys } from "./recent-keys.ts";
import { SavableOutbox } from "./savable-outbox.ts";

/** How far a directory's log had followed other logs when it was committed through `at`. */
interface Claim {
  readonly at: number;
  readonly followed: readonly Cursor[];
}

/** Which log holds everything that the node holds, apart from the part of its outbox that nobody has acknowledged. */
type Whereabouts =
  /** No log does: no directory has ever taken the node in. */
  | { readonly kind: "nowhere" }
  /** The log that `place` names does, through the sequence of `place`. */
  | { readonly kind: "at"; readonly place: Cursor }
  /**
   * The log that feeds the node will, once the node has applied it through `through` and `owes` is false. `owes` is true while
   * the node sends again what that log may lack.
   */
  | { readonly kind: "arriving"; readonly through: number; readonly owes: boolean }
  /** Nobody can tell: the node has to reconcile. */
  | { readonly kind: "unknown" };

/** How a greeting says that the home is unknown: no log has that id. */
const IN_NO_LOG: Readonly<Cursor> = { logId: 0, epoch: 0, sequence: 0 };

/** Keeps which log holds everything that the node holds, and what another log may lack of it. */
export class Home {
  readonly #context: NodeContext;
  readonly #position: LogPosition;
  readonly #applier: Applier;
  readonly #savable: SavableOutbox;
  #where: Whereabouts;
  #keys: RecentKeys;
  #others: readonly Cursor[];
  #savedOthers: readonly Cursor[];
  /** The last sequence that the node had applied in the epoch it left last. It may lie above the cursor, by frames that were not committed. */
  #left: Cursor | undefined;
  /**
   * The last sequences at which the node was whole in the epochs that it has left since it started, the newest last. They lie above those of `#others` where
   * frames had not been committed, and what was lost of these is in no other list of anybody: clients may ask for it as long as they live.
   */
  #leftWhole: readonly Cursor[] = [];
  /** The oldest claim whose `at` is not reached, and the newest. Were only the newest kept, claims that come often would never be reached. */
  #claims: readonly Claim[] = [];
  /**
   * A node that has just started may hold entries above its cursor, of frames that no directory has committed. If its store does
   * not know the keys of these entries, the directory sends the frames again while the epoch of the cursor lasts. Once the node
   * has applied `#completeFrom`, it knows all these keys.
   */
  #completeFrom: number;

  constructor(context: NodeContext, position: LogPosition, applier: Applier) {
    const { cursor, others, outboxAcknowledged } = context.store;
    this.#context = context;
    this.#position = position;
    this.#applier = applier;
    this.#savable = new SavableOutbox(outboxAcknowledged);
    this.#keys = new RecentKeys(cursor?.sequence ?? 0, context.limits.recentKeysMax);
    this.#others = this.#savedOthers = others;
    const tail = tailOf(context.store);
    for (const { place, keys } of tail ?? []) this.#keys.add(place.sequence, keys);
    const through = Math.max(cursor?.sequence ?? 0, tail?.at(-1)?.place.sequence ?? 0);
    if (cursor === undefined) this.#where = { kind: "nowhere" };
    else if (cursor.logId === IN_NO_LOG.logId) this.#where = { kind: "unknown" };
    else this.#where = { kind: "at", place: { ...cursor, sequence: through } };
    this.#completeFrom = tail === undefined ? Infinity : 0;
  }

  /** The last outbox position that may durably count as acknowledged, as `save` has found it. */
  get savable(): number {
    return this.#savable.position;
  }

  /** Whether the node is not on its way from one log to another. */
  get hasArrived(): boolean {
    return this.#where.kind !== "arriving";
  }

  /** For the node's `hello`: the places from which it may be fed, and its home. */
  get places(): Pick<Hello, "cursors" | "home"> {
    const { cursor } = this.#position;
    const cursors = cursor === undefined ? this.#others : withCursor(this.#others, cursor);
    return { cursors: [...cursors], home: this.#greetedHome };
  }

  /**
   * The place in a log that clients of this node are told. It covers all that they can have seen here, except the node's own outbox, and except what
   * a log has brought in which the node has not settled yet.
   */
  get seen(): Cursor {
    const { isSettled, place } = this.#position;
    return isSettled ? place : (this.#left ?? place);
  }

  /** The last sequence that the node has of an epoch of a log that does not feed it; undefined if the node does not know. */
  reachedIn(log: Pick<Cursor, "logId" | "epoch">): number | undefined {
    const other = cursorIn(this.#others, log);
    const left = cursorIn(this.#leftWhole, log);
    if (other === undefined && left === undefined) return undefined;
    return Math.max(other?.sequence ?? 0, left?.sequence ?? 0);
  }

  /** The logs that this node or its directory has been following. */
  get logs(): ReadonlySet<number> {
    const followed = this.#claims.flatMap((claim) => claim.followed);
    return new Set([...this.#others, ...followed].map(({ logId }) => logId));
  }

  /** A directory has taken the node in. */
  enter(log: Pick<Cursor, "logId" | "epoch">): void {
    this.#savable.enterLog(log);
  }

  /**
   * The directory feeds the node. Returns the keys of the entries that the directory's log may lack: the caller sends them again,
   * and calls `paid` when they are durable in the outbox. Returns undefined if nobody can tell what the log lacks: then node and
   * directory have to reconcile.
   */
  arrive(welcome: Welcome): readonly string[] | undefined {
    const { logId, epoch, resumeAfter, homeThrough, committedThrough } = welcome;
    const position = this.#position;
    const home = this.#where.kind === "at" ? this.#where.place : undefined;
    const isSameLog = home?.logId === logId;
    // A node that has lost what was on its way to the disk is back at its cursor, perhaps in another log. And another directory may have named a
    // place in this log that is further than the node's own.
    const stands = position.logId === logId && position.epoch === epoch;
    const isHere = stands && isSameLog && home.epoch === epoch && resumeAfter <= position.applied;
    if (isHere && position.isSettled) {
      this.#completeFrom = Math.min(this.#completeFrom, welcome.head);
      this.advance();
      return [];
    }
    if (this.#where.kind === "unknown" || this.#completeFrom > 0) return undefined;
    if (position.hasLost(welcome)) return undefined;
    const hasNews = home !== undefined && this.#context.rules.recentKeysAreSentAgain;
    const missing = hasNews ? this.#keys.after(homeThrough) : [];
    if (missing === undefined) return undefined;
    if (!isSameLog) this.#leave(resumeAfter);
    else {
      this.#keys.cut(homeThrough);
      this.#noteLeft();
    }
    position.becomeUnsettled({ logId, epoch, sequence: resumeAfter }, welcome.head);
    const elsewhere = home === undefined ? 0 : committedThrough;
    const through = isSameLog ? homeThrough : elsewhere;
    this.#where = { kind: "arriving", through, owes: missing.length > 0 };
    this.advance();
    return missing;
  }

  /** The entries that the log may have lacked are durable in the outbox. */
  paid(): void {
    if (this.#where.kind !== "arriving") return;
    this.#where = { ...this.#where, owes: false };
    this.advance();
  }

  /** The node has to reconcile. Until the reconciliation is over, no log is known to hold everything that the node holds. */
  unsettle(): void {
    if (this.#position.isSettled) this.#leave(0);
    this.#where = { kind: "unknown" };
  }

  /** A reconciliation is over: node and log have exchanged everything in which they differed. */
  settle(): void {
    const { applied, committedThrough } = this.#position;
    this.#applier.settle();
    this.#completeFrom = 0;
    this.#keys.raiseFloor(committedThrough);
    this.#becomeAt(Math.max(applied, committedThrough));
    this.advance();
  }

  /** A frame that ends with `through` has brought these keys. */
  onTaken(through: number, keys: readonly string[]): void {
    this.#keys.add(through, keys);
  }

  /** The outbox is committed through `position`, the log through `through`; these keys have come into it. */
  onAcknowledged(position: number, through: number, keys: readonly string[]): void {
    this.#keys.add(through, keys);
    this.#savable.acknowledge(position, through);
    this.#raise(through);
  }

  /** A directory has taken the node in, and had these keys of its outbox although that was not known. */
  onWelcome({ outboxThrough, committedThrough, followed }: Welcome, keys: readonly string[]): void {
    if (keys.length > 0) this.onAcknowledged(outboxThrough, committedThrough, keys);
    this.observe(committedThrough, followed);
  }

  /** Notes how far the log had followed other logs when it was committed through `at`. */
  observe(at: number, followed: readonly Cursor[]): void {
    if (followed.length === 0) return;
    this.#claims = [...this.#claims.slice(0, 1), { at, followed }];
    this.advance();
  }

  /** `applied` has moved, or the node has paid what it owed: the node may have arrived. */
  advance(): void {
    const { applied, isSettled, durableThrough } = this.#position;
    if (applied >= this.#completeFrom) this.#completeFrom = 0;
    if (isSettled) this.#takeClaims(durableThrough);
    if (this.#where.kind !== "arriving") {
      if (isSettled) this.#raise(applied);
    } else if (!this.#where.owes && applied >= this.#where.through) {
      this.#applier.settle();
      this.#becomeAt(applied);
    }
  }

  /** The link is down. The home of a node that had not arrived becomes unknown. */
  onDown(): void {
    this.#claims = [];
    if (this.#where.kind !== "arriving") return;
    this.#others = withCursor(this.#others, this.#position.whole);
    this.#where = { kind: "unknown" };
  }

  /** Makes the places in other logs durable, if they have moved. To be called when the cursor has just been saved. */
  save(): void {
    const { whole, durableThrough, isSettled } = this.#position;
    // An append that fails later takes the cursor back with it.
    const sequence = Math.min(whole.sequence, durableThrough);
    if (isSettled) this.#savable.cover({ ...whole, sequence });
    if (this.#others !== this.#savedOthers) this.#saveOthers();
  }

  #saveOthers(): void {
    const { store, append, events } = this.#context;
    this.#savedOthers = this.#others;
    append({ kind: "progress", others: this.#others }, (failure) => {
      if (failure === undefined) return;
      this.#savedOthers = store.others;
      events.emit.failed(failure);
    });
  }

  /**
   * A record was not made durable, perhaps the one with the cursor. The acknowledgements that this cursor covered wait again for a durable cursor. A
   * place in another log that is not durable may rest on what was lost, and is dropped. `isBack` says that entries were lost and the node stands at
   * its cursor again: then it may have less than when it left an epoch.
   */
  onLost(isBack: boolean): void {
    if (isBack) {
      this.#left = undefined;
      this.#leftWhole = [];
    }
    const { outboxAcknowledged, others } = this.#context.store;
    this.#savable.lose(outboxAcknowledged);
    this.#others = this.#savedOthers = others;
  }

  /** The places in other logs are void. Of those up to which its directory's log has followed them, the node hears again. */
  forgetOthers(): void {
    if (this.#others.length === 0) return;
    this.#others = [];
    this.#saveOthers();
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
    this.#keys = new RecentKeys(floor, this.#context.limits.recentKeysMax);
    if (!this.#position.isSettled) return;
    this.#others = withCursor(this.#others, this.#position.whole);
    this.#noteLeft();
  }

  /** Notes the place that clients are told until the node has settled in another log. */
  #noteLeft(): void {
    const { isSettled, place, wholeThrough } = this.#position;
    if (!isSettled) return;
    this.#left = place;
    this.#leftWhole = withCursor(this.#leftWhole, { ...place, sequence: wholeThrough });
  }

  /** The node's log, through `sequence` at least, holds everything that the node holds. */
  #raise(sequence: number): void {
    const where = this.#where;
    if (where.kind === "arriving") {
      this.#where = { ...where, through: Math.max(where.through, sequence) };
    } else if (where.kind === "at" && where.place.logId === this.#position.logId) {
      const { logId, epoch } = where.place;
      const place = { logId, epoch, sequence: Math.max(where.place.sequence, sequence) };
      this.#where = { kind: "at", place };
    }
  }

  /** The home as the node's introduction tells it. */
  get #greetedHome(): Cursor | null {
    if (this.#where.kind === "nowhere") return null;
    return this.#where.kind === "at" ? this.#where.place : { ...IN_NO_LOG };
  }

  /** The node owes its log nothing any more: that log becomes its home. */
  #becomeAt(sequence: number): void {
    const { logId, epoch } = this.#position;
    this.#where = { kind: "at", place: { logId, epoch, sequence } };
    this.#savable.settleAt(sequence);
  }
}

/** What a node holds above its cursor of the cursor's log; undefined if nobody can tell, or if the node holds entries of another log. */
function tailOf({
  cursor,
  tail,
}: Pick<ReplicaStore, "cursor" | "tail">): readonly TailRun[] | undefined {
  if (cursor === undefined) return [];
  const isHere = ({ place }: TailRun): boolean =>
    place.logId === cursor.logId && place.epoch === cursor.epoch;
  return tail?.every(isHere) === true ? tail : undefined;
}
