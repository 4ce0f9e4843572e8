/**
 * Follows another directory's log, as a node would: by its feed, or after a reconciliation. What is news goes into
 * this directory's log, and with it how far this log has the other one.
 *
 * A follower only receives. The other directory gets what it lacks by following this one, so a follower sends nothing that the other one wants in a
 * reconciliation. Its watermark counts: what it has not committed moves no place here.
 */
import type { Dial, Link } from "@meridian/ports";
import {
  asMeridianError,
  burial,
  isPurgeable,
  MeridianError,
  capabilities,
  type Entry,
  type Follow,
  type NodeMessage,
  type RegisteredMember,
  type Welcome,
} from "@meridian/protocol";
import type { LogFields, Logger, Random } from "@meridian/runtime";

import type { DirectoryContext } from "../directory/directory-context.ts";
import { Events } from "../events.ts";
import type { DirectoryHorizon, HorizonMember } from "../horizon/directory-horizon.ts";
import { Applier, type ApplierEvents } from "../intake/applier.ts";
import { LogPosition } from "../intake/log-position.ts";
import { REPLICA_LIMITS, type ReplicaLimits } from "../limits.ts";
import { ProgressWatch } from "../link/progress-watch.ts";
import { isForFollower, type FollowerLinkMessage } from "../link/link-messages.ts";
import { ReplicaLink, type ReplicaLinkEvents } from "../link/replica-link.ts";
import type { Sequencer } from "../order/sequencer.ts";
import { Reconciliation, type ReconcilingParty } from "../reconcile/reconciliation.ts";
import type { Rules } from "../rules.ts";
import type { FollowedEntries } from "./followed-entries.ts";
import { FollowerIntake } from "./follower-intake.ts";
import { PeerTimes } from "./peer-times.ts";

/** The other directory. */
export interface FollowedPeer {
  /** Names it for people. */
  readonly name: string;
  readonly dial: Dial;
  readonly random: Random;
  readonly limits?: Partial<ReplicaLimits> | undefined;
}

/** The parts of this directory that a follower works with. */
export interface FollowerParts {
  readonly sequencer: Sequencer;
  readonly horizon: DirectoryHorizon;
  readonly news: FollowedEntries;
}

/** How a directory stands to another one that it follows. */
export interface PeerInfo {
  readonly name: string;
  readonly connected: boolean;
  /** The other one's log; 0 before it was first heard of. */
  readonly logId: number;
  readonly epoch: number;
  /** The last sequence of that log that this directory has, and how many sequences that is behind its head. */
  readonly applied: number;
  readonly behind: number;
  readonly lagMs: number;
  readonly reconciling: boolean;
  /** How many nodes have their link with it. */
  readonly members: number;
}

/** A directory is not in the way of its nodes for longer than they would wait. */
const LIMITS: Partial<ReplicaLimits> = { backoffMaxMs: 1_000, connectMs: 2_000 };

/** What the link and the applier of a follower tell it. */
type FollowerEvents = ApplierEvents & ReplicaLinkEvents<FollowerLinkMessage>;

/** Copies what is new in one other directory's log into this directory's log. */
export class Follower implements HorizonMember, ReconcilingParty {
  readonly #context: DirectoryContext;
  readonly #peer: FollowedPeer;
  readonly #parts: FollowerParts;
  readonly limits: ReplicaLimits;
  readonly #position: LogPosition;
  readonly #intake: FollowerIntake;
  readonly #applier: Applier;
  readonly #reconciliation: Reconciliation;
  readonly #progress: ProgressWatch;
  readonly #link: ReplicaLink<FollowerLinkMessage>;
  #members: readonly RegisteredMember[] = [];
  #membersAtMs = 0;
  #times = new PeerTimes();
  /** The sequence that has to be applied for the follower to have caught up: the other log's head when the follower was taken in. */
  #target = Infinity;

  constructor(context: DirectoryContext, peer: FollowedPeer, parts: FollowerParts) {
    const { log, clock, deadlines } = context;
    const { name, dial, random } = peer;
    const events = new Events<FollowerEvents>();
    const limits = { ...REPLICA_LIMITS, ...LIMITS, ...peer.limits };
    const logger = withFields(context.logger, { peer: name });
    this.#context = context;
    this.#peer = peer;
    this.#parts = parts;
    this.limits = limits;
    this.#progress = new ProgressWatch(clock, limits.stallMs, context.rules);
    this.#position = new LogPosition(undefined);
    this.#intake = new FollowerIntake(context, parts, this.#position);
    this.#applier = new Applier(this.#position, this.#intake, { events, rules: context.rules });
    this.#reconciliation = new Reconciliation(this, log, this.#position, this.#applier);
    const link = { dial, clock, random, deadlines, logger, limits, events };
    this.#link = new ReplicaLink(link, isForFollower);
    events.connect(this.#handlers());
  }

  get name(): string {
    return this.#peer.name;
  }

  /** See `HorizonMember`. */
  get id(): string {
    return this.name;
  }

  get isUp(): boolean {
    return this.#link.up;
  }

  /** Whether nothing listens where the other directory ought to be. */
  get isAlone(): boolean {
    return this.#link.isRefused;
  }

  /** Whether it has everything that the other directory had when the link came up. */
  get hasCaughtUp(): boolean {
    return this.isUp && this.#position.isSettled && this.#position.wholeThrough >= this.#target;
  }

  /** No entry that still comes from the other directory's nodes has a lower stamp time; 0 while that is not known. */
  get lowestTime(): number {
    return this.#times.lowestTime(this.#position.applied);
  }

  /** Whether this directory does not stand in the other one's log yet. */
  get isReconciling(): boolean {
    return !this.#position.isSettled;
  }

  /** The nodes that have their link with the other directory. */
  get members(): readonly RegisteredMember[] {
    return this.#members;
  }

  get info(): PeerInfo {
    const { logId, epoch, applied, behind, isSettled } = this.#position;
    const isLevel = behind === 0 && this.isUp && isSettled;
    return {
      name: this.name,
      connected: this.isUp,
      logId,
      epoch,
      applied,
      behind,
      lagMs: this.#progress.lagMs(isLevel),
      reconciling: this.#reconciliation.isActive,
      members: this.#members.length,
    };
  }

  /** The last position of an outbox that has come from the other directory, together with all positions before it. */
  positionOf(incarnation: number): number {
    const { wholeThrough, applied } = this.#position;
    return wholeThrough === applied ? (this.#position.positionOf(incarnation) ?? 0) : 0;
  }

  start(): void {
    this.#link.start();
  }

  stop(): void {
    this.#link.stop();
  }

  /** Takes `ms` milliseconds off the other directory's silence: this directory could not listen. */
  excuse(ms: number): void {
    this.#membersAtMs += ms;
  }

  /** Forgets the other directory's nodes if it has been silent for longer than their lease. */
  watchLease(): void {
    if (this.#members.length === 0) return;
    if (this.#context.clock.elapsedMs() - this.#membersAtMs <= this.#context.limits.leaseMs) return;
    this.#members = [];
    this.#context.events.emit.elsewhereChanged();
  }

  /** Subscribes to the events of the link and the applier. */
  #handlers(): FollowerEvents {
    return {
      greeting: () => this.#follow(),
      heartbeat: () => this.#heartbeat(),
      welcomed: (link, welcome) => this.#onWelcome(link, welcome),
      told: (message) => this.#onMessage(message),
      frameCame: (bytes) => this.#onFrame(bytes),
      partCame: () => {
        this.#membersAtMs = this.#context.clock.elapsedMs();
        this.#progress.start();
      },
      down: () => {
        this.#reconciliation.stop();
        this.#context.events.emit.followerChanged();
      },
      donated: (id, count) => this.#reconciliation.onDonation(id, count),
      applied: () => {
        this.#progress.logMoved();
        if (this.hasCaughtUp) this.#context.events.emit.followerChanged();
      },
      lost: (failure) => {
        this.#position.returnTo(undefined);
        this.#link.reset(failure);
      },
    };
  }

  #onFrame(bytes: Uint8Array): void {
    // Until its turn to reconcile comes, the follower stands in another log than the one it is sent.
    if (this.#reconciliation.isWaiting) return;
    // A frame that cannot be written is dropped: the other directory sends it again once the gap is noticed.
    if (this.#context.log.stall !== undefined) return;
    this.#progress.reconcileMoved();
    this.#applier.take(bytes);
  }

  #follow(): Follow {
    const { cluster, log, clock } = this.#context;
    return {
      type: "follow",
      ...capabilities(),
      cluster,
      logId: log.logId,
      epoch: log.epoch,
      head: this.#parts.sequencer.ordered,
      cursors: [...log.followed],
      nowMs: clock.nowMs(),
    };
  }

  #onWelcome(link: Link, welcome: Welcome): void {
    const { logId, epoch, head, committedThrough } = welcome;
    this.#context.logger.info("following another directory", {
      peer: this.name,
      resume: welcome.resume,
    });
    this.#target = head;
    this.#times = new PeerTimes();
    this.#progress.start();
    if (welcome.resume === "feed") {
      this.#reconciliation.forget();
      this.#position.becomeUnsettled({ logId, epoch, sequence: welcome.resumeAfter }, head);
      this.#applier.settle();
      this.#position.observe(head, committedThrough);
    } else {
      this.#reconciliation.ask(link, welcome);
    }
    this.#context.events.emit.followerChanged();
  }

  #onMessage(message: FollowerLinkMessage): void {
    switch (message.type) {
      case "echo":
        if (!this.#reconciliation.isWaiting) {
          this.#position.observe(message.head, message.committedThrough);
        }
        this.#reach(message.horizon, message.horizonAt);
        return this.#watchStall();
      case "reconcile-begin":
        this.#progress.reconcileMoved();
        this.#reconciliation.begin(message);
        if (message.horizon > 0) this.#intake.compare(this.#position.place);
        return;
      case "compared":
      case "wanted":
        this.#progress.reconcileMoved();
        return this.#reconciliation.onAnswer(message);
      case "registry":
        this.#members = message.members;
        this.#membersAtMs = this.#context.clock.elapsedMs();
        this.#times.hear(message.head, message.lowestTime);
        this.#hearClocks(message.nowMs);
        this.#context.events.emit.elsewhereChanged();
        return this.#context.events.emit.remembered(message.remembered ?? []);
    }
  }

  /** Adopts the other directory's horizon, once this log has everything that the other log had when that horizon took effect. */
  #reach(horizon: number, at: number): void {
    if (this.isReconciling || this.#position.applied < at) return;
    this.#parts.horizon.reach(horizon);
  }

  #hearClocks(peerMs: number): void {
    this.#context.events.emit.clockHeard(this.name, peerMs);
    for (const { id, skewMs } of this.#members)
      this.#context.events.emit.clockHeard(id, peerMs + skewMs);
  }

  #watchStall(): void {
    if (this.#context.log.stall !== undefined) return this.#progress.start();
    const isStalled = this.#progress.isStalled({
      outboxWaits: false,
      logWaits: this.#position.behind > 0,
      reconciles: this.#reconciliation.isActive,
      waitsForTurn: this.#reconciliation.isWaiting,
      bufferedBytes: this.#link.bufferedBytes,
    });
    if (!isStalled) return;
    const said = `Expected progress within ${this.limits.stallMs} ms, got none`;
    this.#link.reset(new MeridianError("OUT_OF_ORDER", said));
  }

  #heartbeat(): NodeMessage {
    this.#applier.save();
    return {
      type: "heartbeat",
      nowMs: this.#context.clock.nowMs(),
      status: this.hasCaughtUp ? "ready" : "syncing",
      appliedThrough: this.#position.durableThrough,
      outboxPending: 0,
      lowestTime: 0,
      lagMs: this.info.lagMs,
      load: { entries: 0, bytes: 0, requestsPerSecond: 0 },
    };
  }

  get rules(): Rules {
    return this.#context.rules;
  }

  get canReconcile(): boolean {
    return true;
  }

  ownMs(): number {
    return this.#context.clock.nowMs();
  }

  later(callback: () => void): void {
    this.#context.turns.later(() => {
      try {
        callback();
      } catch (failure) {
        this.#link.reset(asMeridianError(failure));
      }
    });
  }

  compareUnder(horizon: number): number {
    return horizon;
  }

  onReconciled(): void {
    this.#link.send({ type: "reconciled", nowMs: this.ownMs() });
    this.#applier.settle();
    this.#context.events.emit.followerChanged();
  }

  /**
   * The other directory has something older of these keys than this one. It receives this one's live entries by following this
   * log. It does not receive those that the comparison passed over because they were purgeable: a burial of each is ordered.
   */
  giveAgain(keys: readonly string[], done: () => void): void {
    const { log, clock } = this.#context;
    const { sequencer, horizon: own } = this.#parts;
    const { horizon } = own;
    const burials: Entry[] = [];
    for (const key of keys) {
      const held = log.peek(key);
      if (held === undefined) burials.push(burial(key, horizon));
      else if (isPurgeable(held, horizon)) burials.push(burial(key, held.stamp.time + 1));
    }
    if (burials.length > 0) {
      const frame = { entries: burials, epoch: 0, followed: undefined };
      sequencer.follow(frame, clock.nowMs(), () => {});
    }
    done();
  }
}

function withFields(logger: Logger, more: LogFields): Logger {
  return {
    debug: (message, fields) => logger.debug(message, { ...more, ...fields }),
    info: (message, fields) => logger.info(message, { ...more, ...fields }),
    warn: (message, fields) => logger.warn(message, { ...more, ...fields }),
    error: (message, fields) => logger.error(message, { ...more, ...fields }),
  };
}
