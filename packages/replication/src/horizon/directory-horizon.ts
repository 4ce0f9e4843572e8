/**
 * The directory's horizon: the stamp time behind which a tombstone may be forgotten, because nothing older than it
 * can come any more without being noticed.
 *
 * It follows the clock at a distance, in steps, but never passes an entry that a connected node still has to send. A new horizon is made durable
 * first; then it is in force: from that place of the log on, an entry as old as the horizon is admitted only where the log knows its key, and buried
 * elsewhere. Only then may tombstones go, and are nodes told. So a directory that dies in between has neither forgotten nor buried anything that it
 * would treat as new after a restart.
 *
 * What may go has also been ordered at least as long ago as the horizon lies back. So a node that was away for less
 * than that finds everything after its cursor, however old the stamps in it are.
 *
 * A new log, or one that has lost something, does not know what its nodes know. Its horizon then stands still for as long as a node may be away; only
 * nodes that have reconciled with it may raise it. The same holds after a leap of the clock.
 *
 * It waits for those that are connected, as far as what they say could be so. A log can only have lost something while it was not open: so what
 * nodes know that it does not keeps the horizon still for its distance from the start. And no entry waits on a connected node for several
 * such distances: so what one says that it has still to send, or that it reconciles, holds nothing up for longer.
 *
 * The clock is the one that a majority of all members agrees on. While none does, nothing here moves at all.
 */
import { STAMPS_PER_MS, stampTimeOf, type HorizonState } from "@meridian/protocol";

import type { DirectoryClocks } from "../directory/directory-clocks.ts";
import type { DirectoryContext } from "../directory/directory-context.ts";
import type { Membership } from "../directory/membership.ts";
import type { Peers } from "../follow/peers.ts";
import type { Sequencer } from "../order/sequencer.ts";

/** The facts of a connected node, or of another directory, that the horizon depends on. */
export interface HorizonMember {
  /** Names it for people. */
  readonly id: string;
  /** A lower bound of the stamp times of all entries that it still sends; 0 if it is not known. */
  readonly lowestTime: number;
  /** Whether it still has to reconcile with the log. */
  readonly isReconciling: boolean;
}

/** The parts of a directory that a horizon depends on, and that depend on it. */
export interface DirectoryHorizonParts {
  readonly clocks: DirectoryClocks;
  readonly sequencer: Sequencer;
  readonly membership: Membership;
  readonly peers: Peers;
}

/** The horizon moves in steps of this part of its distance. */
const STEPS = 64;
/** How many marks there are to a horizon's distance. */
const MARKS = 8;
/** How often it is looked whether a step is due. */
const LOOK_MS_MIN = 1_000;
const LOOK_MS_MAX = 60_000;
/** A log that was off for longer than the distance divided by this waits. That time is several marks long, so there is always a younger mark. */
const DOUBTED = 2;
/** How long a directory waits after its start for nodes that know more than its log. */
const GRACE_MS = 60_000;
/** What connected members say holds the horizon back by at most this many of its distances. */
const WAITS = 4;
/** Until a time is known that can be counted from. */
const FOR_NOW = Number.MAX_SAFE_INTEGER;

/** Moves the horizon of a directory on, and says which tombstones its log may purge. */
export class DirectoryHorizon {
  readonly #context: DirectoryContext;
  readonly #parts: DirectoryHorizonParts;
  /** The state that is being made durable; `#log.horizonState` is the durable one. */
  #state: HorizonState;
  #isSaving = false;
  #horizon: number;
  #at = 0;
  #startedAtMs = 0;
  /** The members for which the log last said that the horizon waits. */
  #waitsFor: string | undefined;
  /** By how much confirmed time was ahead of elapsed time when it was last looked at. */
  #aheadMs: number | undefined;
  /** The horizon that this log has everything under, and that waits for a time to be held against; 0 for none. */
  #reachable = 0;

  constructor(context: DirectoryContext, parts: DirectoryHorizonParts) {
    this.#context = context;
    this.#parts = parts;
    this.#state = context.log.horizonState;
    this.#horizon = this.#state.horizon;
  }

  /** The horizon in force. Invariant: durable. */
  get horizon(): number {
    return this.#horizon;
  }

  /** Everything ordered after this sequence was admitted under it. */
  get at(): number {
    return this.#at;
  }

  /** Until when the horizon does not follow the clock, by wall time. */
  get frozenUntilMs(): number {
    return this.#state.frozenUntilMs;
  }

  /** How often the owner has to call `step`, in milliseconds. */
  get stepMs(): number {
    const { horizonMs } = this.#context.limits;
    return Math.min(Math.max(LOOK_MS_MIN, horizonMs / STEPS), LOOK_MS_MAX);
  }

  /** No entry that a node of this directory still sends has a lower stamp time; 0 while that is not known, the greatest number without nodes. */
  get lowestTime(): number {
    if (this.#isStarting) return 0;
    const times = [...this.#parts.membership.sessions].map((each) =>
      each.isReconciling ? 0 : each.lowestTime,
    );
    return Math.min(Number.MAX_SAFE_INTEGER, ...times);
  }

  start(): void {
    this.#parts.sequencer.observe(this.#horizon);
    this.#at = this.#parts.sequencer.ordered;
    this.#startedAtMs = this.#context.clock.elapsedMs();
    // A log without marks is new.
    if (this.#state.frozenUntilMs === 0) this.#freezeFor(this.#context.limits.horizonMs);
  }

  /** A node shows, as far as it is to be believed, that the log has lost something: that was before it was opened, and who knows of it comes within the horizon's distance from then. */
  onLoss(): void {
    const { clock, limits } = this.#context;
    const restMs = this.#startedAtMs + limits.horizonMs - clock.elapsedMs();
    if (restMs > 0) this.#freezeFor(restMs);
  }

  #freezeFor(ms: number): void {
    const nowMs = this.#parts.clocks.time.confirmedMs();
    const untilMs = nowMs === undefined ? FOR_NOW : Math.ceil(nowMs + ms);
    if (untilMs <= this.#state.frozenUntilMs) return;
    this.#save({ ...this.#state, frozenUntilMs: untilMs });
  }

  /**
   * A node or directory of that horizon and this log have exchanged everything: what is absent from both was deleted. It is believed as
   * far as a horizon can have come, and as far as no other node has anything older to send. One in the future is that of no directory, whatever
   * the distance that it keeps, and is not believed at all.
   */
  reach(horizon: number): void {
    if (!this.#context.rules.followedHorizonIsAdopted) return;
    const nowMs = this.#parts.clocks.time.confirmedMs();
    this.#reachable = nowMs === undefined ? Math.max(this.#reachable, horizon) : 0;
    if (nowMs === undefined) return;
    if (horizon > stampTimeOf(nowMs + this.#context.limits.maxClockDriftMs)) {
      return this.#context.logger.warn("a horizon is in the future; not believed", { horizon });
    }
    const bounded = Math.min(horizon, this.#highestPossible(nowMs));
    if (bounded <= this.#state.horizon) return;
    // Entries as old as the horizon that have just come must be merged before absence means "deleted".
    this.#context.log.settle((failure) => {
      if (failure !== undefined) return;
      if (bounded > this.#state.horizon) this.#save({ ...this.#state, horizon: bounded });
    });
  }

  /** No directory whose clock is right has come further with its horizon, and no node whose horizon that is sends anything older. */
  #highestPossible(now: number): number {
    const { horizonMs, maxClockDriftMs } = this.#context.limits;
    let highest = stampTimeOf(Math.min(now, now - horizonMs + maxClockDriftMs));
    for (const { lowestTime, isReconciling } of this.#parts.membership.sessions) {
      if (!isReconciling && lowestTime > 0) highest = Math.min(highest, lowestTime - 1);
    }
    return highest;
  }

  /** Moves the horizon after the clock, unless a member or a doubt about the clock holds it back. */
  step(): void {
    const { horizonMs } = this.#context.limits;
    const now = this.#parts.clocks.time.confirmedMs();
    if (now === undefined) return;
    if (this.#isFreezing(now)) return this.#freezeFor(horizonMs);
    if (this.#reachable > 0) this.reach(this.#reachable);
    const marks = this.#marksAt(now);
    // A clock that was ahead once may have frozen the horizon for years.
    const frozenUntilMs = Math.min(this.#state.frozenUntilMs, Math.ceil(now + horizonMs));
    const target = this.#target(now);
    const isStep = target > this.#state.horizon + (horizonMs / STEPS) * STAMPS_PER_MS;
    const horizon = isStep ? target : this.#state.horizon;
    const isNews = marks !== this.#state.marks || frozenUntilMs !== this.#state.frozenUntilMs;
    if (isStep || isNews) this.#save({ horizon, frozenUntilMs, marks });
    else this.#permit();
  }

  /**
   * Whether the clock has been set ahead since it was last looked at: it is not to be believed so soon. Or whether the log was off for so
   * long, when it is looked at first, that others may have gone on. How long it was off nobody can tell but the clocks, which may all have
   * been set ahead meanwhile: what they may claim without being doubted is all that they can make a horizon leap by.
   */
  #isFreezing(now: number): boolean {
    const { maxClockDriftMs, horizonMs } = this.#context.limits;
    const before = this.#aheadMs;
    this.#aheadMs = now - this.#context.clock.elapsedMs();
    if (before !== undefined) return this.#aheadMs - before > maxClockDriftMs;
    const lastAtMs = this.#state.marks.at(-1)?.[0] ?? 0;
    return lastAtMs < now - horizonMs / DOUBTED;
  }

  /** Whether nodes that know more than the log may not have come yet. */
  get #isStarting(): boolean {
    const sinceStartMs = this.#context.clock.elapsedMs() - this.#startedAtMs;
    return sinceStartMs < Math.min(GRACE_MS, this.#context.limits.horizonMs);
  }

  #target(now: number): number {
    const { horizonMs } = this.#context.limits;
    if (this.#isStarting || now < this.#state.frozenUntilMs) return 0;
    const members = [...this.#parts.membership.sessions];
    // Without nodes nobody can say what this log has lost.
    if (members.length === 0) return 0;
    let target = stampTimeOf(now - horizonMs);
    let slowest: HorizonMember | undefined;
    for (const each of [...members, ...this.#parts.peers.horizonMembers]) {
      const bound = each.isReconciling ? 0 : Math.max(0, each.lowestTime - 1);
      if (bound >= target) continue;
      target = bound;
      slowest = each;
    }
    const overdue = stampTimeOf(now - 2 * horizonMs);
    this.#sayWaiting(this.#state.horizon < overdue && target < overdue ? slowest : undefined);
    return Math.max(target, stampTimeOf(now - WAITS * horizonMs));
  }

  #sayWaiting(member: HorizonMember | undefined): void {
    if (member?.id === this.#waitsFor) return;
    this.#waitsFor = member?.id;
    if (member === undefined) return;
    const { id, isReconciling } = member;
    const said = isReconciling ? "reconciles" : "has not sent what it has";
    this.#context.logger.warn(`deletes are kept because a node or directory ${said}`, {
      peer: id,
    });
  }

  /** The marks, with a new one if the last is old enough, and without those that say nothing any more. */
  #marksAt(now: number): HorizonState["marks"] {
    const { horizonMs } = this.#context.limits;
    const known = this.#state.marks.filter(([atMs]) => atMs <= now);
    const newestAtMs = known.at(-1)?.[0] ?? -Infinity;
    if (now - newestAtMs < horizonMs / MARKS) return this.#state.marks;
    const useful = known.filter((_, index) => (known[index + 1]?.[0] ?? now) > now - horizonMs);
    return [...useful, [Math.floor(now), this.#context.log.committedThrough]];
  }

  #save(state: HorizonState): void {
    this.#state = state;
    if (this.#isSaving) return;
    this.#isSaving = true;
    this.#context.log.saveHorizon(state, (failure) => {
      this.#isSaving = false;
      if (failure !== undefined) return this.#context.events.emit.failed(failure);
      if (state.horizon > this.#horizon) {
        this.#horizon = state.horizon;
        this.#at = this.#parts.sequencer.ordered;
        this.#parts.sequencer.observe(this.#horizon);
      }
      this.#permit();
      if (this.#state !== state) this.#save(this.#state);
    });
  }

  #permit(): void {
    const { log, limits } = this.#context;
    const nowMs = this.#parts.clocks.time.confirmedMs();
    if (nowMs === undefined) return;
    const longAgoMs = nowMs - limits.horizonMs;
    const through = this.#state.marks.findLast(([atMs]) => atMs <= longAgoMs)?.[1] ?? 0;
    if (through > 0) log.purge(this.#horizon, through);
  }
}
