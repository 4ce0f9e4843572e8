/**
 * Follows another directory's log, as a node would: by its feed, or after a reconciliation. What is news goes into
 * this directory's log, and with it how far this log has the other one.
 *
 * It only ever takes. What the other directory lacks it gets by following this one in turn, so nothing that it wants
 * in a reconciliation is sent. Its watermark counts: what it has not committed moves no place here.
 */
import type { Dial, DirectoryLog, Done, Link } from "@meridian/ports";
import {
  asMeridianError,
  burial,
  isPurgeable,
  MeridianError,
  capabilities,
  type DirectoryMessage,
  type Entry,
  type Follow,
  type NodeMessage,
  type RegisteredMember,
  type RememberedMember,
  type ReplicaRecord,
  type Welcome,
} from "@meridian/protocol";
import type { Clock, Deadlines, LogFields, Logger, Random } from "@meridian/runtime";

import type { DirectoryHorizon, HorizonMember } from "../horizon/directory-horizon.ts";
import { Applier } from "../intake/applier.ts";
import { REPLICA_LIMITS, type ReplicaLimits } from "../limits.ts";
import { ProgressWatch } from "../link/progress-watch.ts";
import { ReplicaLink } from "../link/replica-link.ts";
import type { Sequencer } from "../order/sequencer.ts";
import { graveOf, isStale } from "../order/stale-entries.ts";
import { Reconciliation } from "../reconcile/reconciliation.ts";
import type { FollowedEntries } from "./followed-entries.ts";
import { PeerTimes } from "./peer-times.ts";

/** What a follower needs. */
export interface FollowerOptions {
  /** Names the other directory for people. */
  readonly name: string;
  readonly dial: Dial;
  readonly cluster: string;
  readonly log: DirectoryLog;
  readonly sequencer: Sequencer;
  readonly news: FollowedEntries;
  /** This directory's. */
  readonly horizon: Pick<DirectoryHorizon, "horizon" | "reach">;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly deadlines: Deadlines;
  readonly leaseMs: number;
  readonly limits?: Partial<ReplicaLimits>;
  /** The other directory has told its nodes, or has not been heard for so long that they are forgotten. */
  onMembers(): void;
  /** The clock of the other directory, or of one of its nodes, shows `wallMs`. */
  onClock(id: string, wallMs: number): void;
  /** The other directory has told what it remembers of nodes. */
  onRemembered(members: readonly RememberedMember[]): void;
  /** The follower has caught up, or its link has come or gone. */
  onChange(): void;
}

/** How a directory stands to another one that it follows. */
export interface PeerInfo {
  readonly name: string;
  readonly connected: boolean;
  /** The other one's log; 0 before it was first heard of. */
  readonly logId: number;
  readonly epoch: number;
  /** What this directory has of that log, and how far that is behind its head. */
  readonly applied: number;
  readonly behind: number;
  readonly lagMs: number;
  readonly reconciling: boolean;
  /** How many nodes have their link with it. */
  readonly members: number;
}

/** A directory is not in the way of its nodes for longer than they would wait. */
const LIMITS: Partial<ReplicaLimits> = { backoffMaxMs: 1_000, connectMs: 2_000 };

export class Follower implements HorizonMember {
  readonly #options: FollowerOptions;
  readonly #limits: ReplicaLimits;
  readonly #applier: Applier;
  readonly #reconciliation: Reconciliation;
  readonly #progress: ProgressWatch;
  readonly #link: ReplicaLink;
  #members: readonly RegisteredMember[] = [];
  #membersAtMs = 0;
  #times = new PeerTimes();
  /** What is to be applied for the follower to have caught up: the head when it was taken in. */
  #target = Infinity;

  constructor(options: FollowerOptions) {
    this.#options = options;
    this.#limits = { ...REPLICA_LIMITS, ...LIMITS, ...options.limits };
    this.#progress = new ProgressWatch(options.clock, this.#limits.stallMs);
    this.#applier = this.#makeApplier();
    this.#reconciliation = new Reconciliation({
      store: options.log,
      applier: this.#applier,
      ownMs: () => options.clock.nowMs(),
      later: (callback) => this.#later(callback),
      compareUnder: (horizon) => horizon,
      resubmit: (keys, done) => {
        this.#remind(keys);
        done();
      },
      offer: (_entries, done) => done(),
      onDone: () => {
        this.#link.send({ type: "reconciled", nowMs: options.clock.nowMs() });
        this.#applier.settle();
        options.onChange();
      },
    });
    this.#link = this.#makeLink();
  }

  get name(): string {
    return this.#options.name;
  }

  get isUp(): boolean {
    return this.#link.up;
  }

  /** Whether nothing listens where the other directory ought to be. */
  get isAlone(): boolean {
    return this.#link.isRefused;
  }

  #later(callback: () => void): void {
    this.#options.deadlines.after(0, () => {
      try {
        callback();
      } catch (failure) {
        this.#link.reset(asMeridianError(failure));
      }
    });
  }

  /** Whether it has everything that the other directory had when the link came up. */
  get hasCaughtUp(): boolean {
    return this.isUp && this.#applier.isSettled && this.#applier.wholeThrough >= this.#target;
  }

  /** No entry that still comes from the other directory's nodes has a lower stamp time; 0 while that is not known. */
  get lowestTime(): number {
    return this.#times.lowestTime(this.#applier.applied);
  }

  /** Whether this directory does not stand in the other one's log yet. */
  get isReconciling(): boolean {
    return !this.#applier.isSettled;
  }

  /** The nodes that have their link with the other directory. */
  get members(): readonly RegisteredMember[] {
    return this.#members;
  }

  get info(): PeerInfo {
    const { logId, epoch, applied, behind } = this.#applier;
    const isLevel = behind === 0 && this.isUp && this.#applier.isSettled;
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

  /** The last position of that outbox that has come from there, as everything before it has. */
  positionOf(incarnation: number): number {
    const { wholeThrough, applied } = this.#applier;
    return wholeThrough === applied ? (this.#applier.positionOf(incarnation) ?? 0) : 0;
  }

  start(): void {
    this.#link.start();
  }

  stop(): void {
    this.#link.stop();
  }

  /** Forgets the other directory's nodes if it has been silent for longer than their lease. */
  watchLease(): void {
    if (this.#members.length === 0) return;
    if (this.#options.clock.elapsedMs() - this.#membersAtMs <= this.#options.leaseMs) return;
    this.#members = [];
    this.#options.onMembers();
  }

  #makeApplier(): Applier {
    return new Applier({
      store: {
        cursor: undefined,
        admittedTime: 0,
        append: (record, done) => this.#append(record, done),
      },
      stamps: { observe: () => {} },
      onEntries: () => {},
      onDonation: (id, count) => this.#reconciliation.onDonation(id, count),
      onApplied: () => {
        this.#progress.logMoved();
        if (this.hasCaughtUp) this.#options.onChange();
      },
      onReport: () => {},
      onFailed: (failure) => this.#link.reset(failure),
    });
  }

  #makeLink(): ReplicaLink {
    const { dial, clock, random, deadlines, logger, name, log } = this.#options;
    return new ReplicaLink({
      dial,
      clock,
      random,
      deadlines,
      logger: withFields(logger, { peer: name }),
      limits: this.#limits,
      events: {
        hello: () => this.#follow(),
        onWelcome: (link, welcome) => this.#onWelcome(link, welcome),
        onMessage: (message) => this.#onMessage(message),
        onFrame: (bytes) => {
          // Until its turn to reconcile comes, the follower stands in another log than what it is sent.
          if (this.#reconciliation.isWaiting) return;
          // What cannot be written is not taken either: it comes again once the gap is noticed.
          if (log.stall !== undefined) return;
          this.#progress.reconcileMoved();
          this.#applier.take(bytes);
        },
        heartbeat: () => this.#heartbeat(),
        onDrain: () => {},
        onDown: () => {
          this.#reconciliation.stop();
          this.#options.onChange();
        },
        onIncarnationReused: () => {},
      },
    });
  }

  #follow(): Follow {
    const { cluster, log, sequencer, clock } = this.#options;
    return {
      type: "follow",
      ...capabilities(),
      cluster,
      logId: log.logId,
      epoch: log.epoch,
      head: sequencer.head,
      cursors: [...log.followed],
      nowMs: clock.nowMs(),
    };
  }

  #onWelcome(link: Link, welcome: Welcome): void {
    const { logId, epoch, head, committedThrough } = welcome;
    this.#options.logger.info("following another directory", {
      peer: this.name,
      resume: welcome.resume,
    });
    this.#target = head;
    this.#times = new PeerTimes();
    this.#progress.start();
    if (welcome.resume === "feed") {
      this.#applier.resume({ logId, epoch, sequence: welcome.resumeAfter }, head);
      this.#applier.settle();
      this.#applier.observe(head, committedThrough);
    } else {
      this.#reconciliation.ask(link, logId, epoch);
    }
    this.#options.onChange();
  }

  #onMessage(message: Exclude<DirectoryMessage, Welcome>): void {
    switch (message.type) {
      case "echo":
        if (!this.#reconciliation.isWaiting) {
          this.#applier.observe(message.head, message.committedThrough);
        }
        this.#reach(message.horizon, message.horizonAt);
        return this.#watchStall();
      case "reconcile-begin":
        this.#progress.reconcileMoved();
        return this.#reconciliation.begin(message.head, message.horizon);
      case "compared":
      case "wanted":
        this.#progress.reconcileMoved();
        return this.#reconciliation.onAnswer(message);
      case "registry":
        this.#members = message.members;
        this.#membersAtMs = this.#options.clock.elapsedMs();
        this.#times.hear(message.head, message.lowestTime);
        this.#hearClocks(message.nowMs);
        this.#options.onMembers();
        return this.#options.onRemembered(message.remembered ?? []);
      case "acknowledge":
      case "refuse":
      case "applied-by":
      case "located":
      case "members":
      case "members-changed":
      case "standing":
        // For nodes.
        return;
    }
  }

  /** What the other directory takes for deleted is deleted here, too, once this log has everything that it had when it came to that. */
  #reach(horizon: number, at: number): void {
    if (this.isReconciling || this.#applier.applied < at) return;
    this.#options.horizon.reach(horizon);
  }

  #hearClocks(peerMs: number): void {
    this.#options.onClock(this.name, peerMs);
    for (const { id, skewMs } of this.#members) this.#options.onClock(id, peerMs + skewMs);
  }

  #watchStall(): void {
    if (this.#options.log.stall !== undefined) return this.#progress.start();
    const isStalled = this.#progress.isStalled({
      outboxWaits: false,
      logWaits: this.#applier.behind > 0,
      reconciles: this.#reconciliation.isActive,
      waitsForTurn: this.#reconciliation.isWaiting,
    });
    if (!isStalled) return;
    const said = `Expected progress within ${this.#limits.stallMs} ms, got none`;
    this.#link.reset(new MeridianError("OUT_OF_ORDER", said));
  }

  #heartbeat(): NodeMessage {
    this.#applier.save();
    return {
      type: "heartbeat",
      nowMs: this.#options.clock.nowMs(),
      status: this.hasCaughtUp ? "ready" : "syncing",
      appliedThrough: this.#applier.durableThrough,
      outboxPending: 0,
      lowestTime: 0,
      lagMs: this.info.lagMs,
      load: { entries: 0, bytes: 0, requestsPerSecond: 0 },
    };
  }

  /**
   * The entries that are to be ordered here. Orders burials of what was deleted here long ago, which go to everyone: the other
   * directory may never have heard of what has deleted it.
   */
  #newsOf(entries: readonly Entry[]): readonly Entry[] {
    const { log, sequencer, news, clock } = this.#options;
    const { horizon } = this.#options.horizon;
    const fresh = news.takeNews(entries);
    const stale = entries.filter((entry) => isStale(log, horizon, entry));
    // What is no news and not in the log's table is on its way there.
    const buried = stale.filter((each) => fresh.includes(each) || log.peek(each.key) !== undefined);
    if (buried.length === 0) return fresh;
    const burials = buried.map((entry) => graveOf(log, entry));
    sequencer.follow({ entries: burials, epoch: 0, followed: undefined }, clock.nowMs(), () => {});
    return fresh.filter((entry) => !stale.includes(entry));
  }

  /**
   * The other directory has something older of these keys than this one. It hears of what this one has by following it in turn; but
   * not of what it has passed over in a comparison, because that did not count any more.
   */
  #remind(keys: readonly string[]): void {
    const { log, sequencer, clock } = this.#options;
    const { horizon } = this.#options.horizon;
    const burials: Entry[] = [];
    for (const key of keys) {
      const held = log.peek(key);
      if (held === undefined) burials.push(burial(key, horizon));
      else if (isPurgeable(held, horizon)) burials.push(burial(key, held.stamp.time + 1));
    }
    if (burials.length === 0) return;
    sequencer.follow({ entries: burials, epoch: 0, followed: undefined }, clock.nowMs(), () => {});
  }

  /** The applier's store is this directory's log. */
  #append(record: ReplicaRecord, done: Done): void {
    const { sequencer, news, clock } = this.#options;
    const entries = record.kind === "remote" ? this.#newsOf(record.entries) : [];
    const cursor = "cursor" in record ? record.cursor : undefined;
    const followed = cursor?.logId === 0 ? undefined : cursor;
    const { epoch } = this.#applier;
    sequencer.follow({ entries, epoch, followed }, clock.nowMs(), (failure) => {
      if (failure === undefined) news.onDurable();
      done(failure);
    });
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
