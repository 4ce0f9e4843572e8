/**
 * A regional node's replication as a state machine: its own writes go out through the outbox, everyone
 * else's come in from the log, and the status says what the node can do for clients.
 *
 * Status: `joining` until the directory has been heard of, `syncing` while the node is behind it, `ready`,
 * `standalone` when it serves without a directory, `draining` when it stops. A node that has once served goes
 * on serving when it is cut off, and while it reconciles with a directory that does not know its place.
 */
import type { Link } from "@meridian/ports";
import {
  asMeridianError,
  MeridianError,
  STAMPS_PER_MS,
  type DirectoryMessage,
  type Entry,
  type Acknowledgement,
  type AckLevel,
  type Member,
  type NodeMessage,
  type NodeStatus,
  type Position,
  type Welcome,
} from "@meridian/protocol";
import { Deadlines, type Gauge } from "@meridian/runtime";

import { ReplicaHorizon } from "../horizon/replica-horizon.ts";
import { Applier } from "../intake/applier.ts";
import { REPLICA_LIMITS, type ReplicaLimits } from "../limits.ts";
import { DirectoryChoice } from "../link/directory-choice.ts";
import { ProgressWatch } from "../link/progress-watch.ts";
import { ReplicaLink, type LinkFacts } from "../link/replica-link.ts";
import { ClusterClock } from "../time/cluster-clock.ts";
import { HybridClock } from "../time/hybrid-clock.ts";
import { Acknowledgements } from "./acknowledgements.ts";
import { CommittedOutbox } from "./committed-outbox.ts";
import { DiskWatch } from "./disk-watch.ts";
import { KnownMembers } from "./known-members.ts";
import { Positions } from "./positions.ts";
import { Pulse } from "./pulse.ts";
import { Quarantine } from "./quarantine.ts";
import { replicaGauges } from "./replica-gauges.ts";
import { infoOf, type ReplicaInfo, type ReplicaOptions } from "./replica-options.ts";
import { ServingState } from "./serving-state.ts";
import { Settlement } from "./settlement.ts";
import { Submitter } from "./submitter.ts";
import { WritePath, type BatchWrite, type Receipt } from "./write-path.ts";

export class Replica {
  readonly #options: ReplicaOptions;
  readonly #limits: ReplicaLimits;
  readonly #deadlines: Deadlines;
  readonly #time: ClusterClock;
  readonly #stamps: HybridClock;
  readonly #horizon: ReplicaHorizon;
  readonly #writes: WritePath;
  readonly #submitter: Submitter;
  readonly #applier: Applier;
  readonly #choice: DirectoryChoice;
  readonly #positions: Positions;
  readonly #progress: ProgressWatch;
  readonly #acknowledgements: Acknowledgements;
  readonly #link: ReplicaLink;
  readonly #settlement: Settlement;
  readonly #pulse: Pulse;
  /** What the cluster has deleted while this node was away. */
  readonly quarantine: Quarantine;
  readonly #state = new ServingState();
  readonly #members = new KnownMembers();
  readonly #committed = new CommittedOutbox();
  #isStopped = false;
  readonly #disk: DiskWatch;

  constructor(options: ReplicaOptions) {
    const { store, clock, random, node } = options;
    this.#options = options;
    this.#limits = { ...REPLICA_LIMITS, ...options.limits };
    this.#deadlines = new Deadlines(clock);
    this.#time = new ClusterClock(clock);
    this.#progress = new ProgressWatch(clock, this.#limits.stallMs);
    const floor = Math.max(store.highestTime, store.horizon);
    this.#stamps = new HybridClock(random, floor, STAMPS_PER_MS);
    this.#horizon = new ReplicaHorizon(store);
    this.#writes = this.#makeWritePath();
    this.quarantine = new Quarantine(store, this.#writes, options.logger);
    this.#applier = this.#makeApplier();
    this.#submitter = this.#makeSubmitter();
    this.#settlement = new Settlement({
      ...options,
      applier: this.#applier,
      horizon: this.#horizon,
      writes: this.#writes,
      committed: this.#committed,
      ownMs: () => this.#time.ownMs(),
      onLack: () => this.#acknowledgements.onLack(this.#submitter.acknowledgedThrough),
      onSentAgain: (position) => this.#acknowledgements.onSentAgain(position),
      onReconciled: () => this.#onReconciled(),
      onFailed: (failure) => this.#onFailed(asMeridianError(failure)),
    });
    this.#disk = new DiskWatch(store, this.#applier, this.#settlement.home);
    this.#pulse = new Pulse({
      ...options,
      time: this.#time,
      stamps: this.#stamps,
      horizon: this.#horizon,
      applier: this.#applier,
      submitter: this.#submitter,
      writes: this.#writes,
      progress: this.#progress,
      settlement: this.#settlement,
      disk: this.#disk,
      stallMs: this.#limits.stallMs,
    });
    this.#positions = new Positions({
      store,
      applier: this.#applier,
      home: this.#settlement.home,
      directories: options.directories ?? 1,
      deadlines: this.#deadlines,
      waitersMax: this.#limits.waitersMax,
      isReady: () => this.status === "ready",
      locate: (incarnation, position) => {
        this.#link.send({ type: "locate", nowMs: this.#time.ownMs(), incarnation, position });
      },
    });
    this.#acknowledgements = new Acknowledgements(
      node.id,
      this.#deadlines,
      this.#limits.waitersMax,
      store.outboxAcknowledged,
    );
    this.#choice = this.#makeChoice();
    this.#link = this.#makeLink();
  }

  get status(): NodeStatus {
    return this.#state.status;
  }

  /** The registered nodes, this one included, as the directory last told. */
  get members(): readonly Member[] {
    return this.#members.list;
  }

  /** Cluster time, in milliseconds since the Unix epoch: the clock to judge expiry by. */
  nowMs(): number {
    return this.#time.nowMs();
  }

  /** Cluster time as a majority of the members has agreed on it for a while; undefined where none has: what cannot be undone waits for it. */
  get confirmedNowMs(): number | undefined {
    return this.#time.confirmedMs(this.#limits.confirmMs);
  }

  /** Starts connecting. */
  start(): void {
    this.#options.onStatus?.(this.status);
    this.#deadlines.after(this.#limits.joinMs, () => {
      this.#state.expireJoin();
      this.#updateStatus();
    });
    this.#link.start();
  }

  /** Says at once, here and to the directory, that the node is draining. It goes on as before until it is stopped. */
  drain(): void {
    this.#state.stop();
    this.#updateStatus();
  }

  /** Drains, waits a bounded time for the outbox to be taken, and disconnects. */
  async stop(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.drain();
    await new Promise<void>((resolve) => {
      this.#deadlines.after(this.#limits.drainMs, resolve);
      this.#writes.close(() => {
        if (!this.#link.up) resolve();
        else this.#committed.after(this.#options.store.outboxThrough, resolve);
      });
    });
    this.#pulse.save();
    this.#positions.close();
    this.#acknowledgements.close();
    this.#choice.stop();
    this.#link.stop();
    this.#deadlines.clear();
  }

  /** The newest entry of `key`, tombstones and expired ones included. */
  get(key: string): Entry | undefined {
    return this.#options.store.get(key);
  }

  /**
   * Writes a batch as one. Resolves once it is durable here; rejects with what a check threw or why the store could not.
   * `reportApplied` asks the directory to tell which nodes have it: needed for the levels above `directory`.
   */
  write(requests: readonly BatchWrite[], reportApplied = false): Promise<Receipt> {
    return new Promise((resolve, reject) => {
      this.#writes.write(requests, reportApplied, (failure, receipt) =>
        receipt === undefined ? reject(failure) : resolve(receipt),
      );
    });
  }

  /** Resolves once a write is as widely known as asked, or after `timeoutMs` with what is known then. */
  acknowledgement(receipt: Receipt, level: AckLevel, timeoutMs: number): Promise<Acknowledgement> {
    return this.#acknowledgements.wait(receipt.outboxPosition, level, timeoutMs);
  }

  /** What a client that is answered now has seen. */
  position(): Position {
    return this.#positions.current();
  }

  /** Resolves to whether the node reaches `position` within `waitMs`. Rejects with `OVERLOADED` if too many wait. */
  reach(position: Position, waitMs: number): Promise<boolean> {
    return this.#positions.reach(position, waitMs);
  }

  /** The replica in numbers, for an operator. */
  info(): ReplicaInfo {
    return infoOf(this.#options.store, this.#applier, this.#submitter, this.#time, {
      lagMs: this.#pulse.lagMs(this.#link.up),
      connected: this.#link.up,
      directory: this.#choice.current,
      reconciling: this.#settlement.reconciliation.isActive,
      refusal: this.#link.refusal?.code ?? null,
    });
  }

  /** How full what the replica holds is. */
  gauges(): readonly Gauge[] {
    return replicaGauges(this.#limits, this.#submitter, this.#acknowledgements, this.#positions);
  }

  /** The link to the directory. */
  get link(): LinkFacts {
    return this.#link;
  }

  #makeWritePath(): WritePath {
    return new WritePath({
      store: this.#options.store,
      stamps: this.#stamps,
      nowMs: () => this.#time.nowMs(),
      defer: (callback) => this.#options.defer(callback),
      onDurable: (frame, entries, reportApplied) => {
        this.#options.onChange?.(entries);
        this.#submitter.offer(frame, entries, reportApplied);
        this.#positions.check();
      },
    });
  }

  #makeApplier(): Applier {
    return new Applier({
      store: this.#options.store,
      stamps: this.#stamps,
      screening: {
        horizon: this.#horizon,
        time: this.#time,
        offer: (entries, done) => this.#settlement.offer(entries, done),
        onQuarantined: (entries) => this.quarantine.report(entries),
      },
      onEntries: (entries) => this.#options.onChange?.(entries),
      onTaken: (through, keys) => this.#settlement.home.onTaken(through, keys),
      onDonation: (id, count) => this.#settlement.reconciliation.onDonation(id, count),
      onApplied: () => this.#onApplied(),
      onReport: (through) => {
        this.#link.send({ type: "applied", nowMs: this.#time.ownMs(), through });
      },
      onFailed: (failure) => this.#onFailed(failure),
    });
  }

  #makeSubmitter(): Submitter {
    return new Submitter({
      ...this.#options,
      stamps: this.#stamps,
      time: this.#time,
      writes: this.#writes,
      windowBytes: this.#limits.windowBytes,
      admittedTime: () => Math.max(this.#applier.admittedTime, this.#options.store.horizon),
      onAdmitted: (time) => this.#applier.admit(time),
      onOutdated: () => this.#settlement.unsettle(),
      onRestamped: (entries) => this.#onRestamped(entries),
      onFailed: (failure) => this.#onFailed(failure),
    });
  }

  #makeChoice(): DirectoryChoice {
    return new DirectoryChoice({
      ...this.#options,
      cluster: this.#options.node.cluster,
      directories: this.#options.directories ?? 1,
      deadlines: this.#deadlines,
      limits: this.#limits,
      place: () => this.#applier.place,
      onBetter: () => this.#link.move(),
    });
  }

  #makeLink(): ReplicaLink {
    return new ReplicaLink({
      ...this.#options,
      choice: this.#choice,
      deadlines: this.#deadlines,
      limits: this.#limits,
      events: {
        hello: () => this.#pulse.hello(this.status),
        onWelcome: (link, welcome, askedAtMs) => this.#onWelcome(link, welcome, askedAtMs),
        onMessage: (message) => this.#onMessage(message),
        onFrame: (bytes) => {
          // Until its turn to reconcile comes, the node stands in another log than what it is sent.
          if (this.#settlement.reconciliation.isWaiting || !this.#disk.takesIn) return;
          this.#progress.reconcileMoved();
          this.#applier.take(bytes);
        },
        heartbeat: () => this.#heartbeat(),
        onDrain: () => this.#submitter.pump(),
        onDown: () => this.#onDown(),
        onIncarnationReused: () => this.#adopt(),
      },
    });
  }

  #onWelcome(link: Link, welcome: Welcome, askedAtMs: number): void {
    const { head, outboxThrough } = welcome;
    this.#time.maxDriftMs = welcome.maxClockDriftMs;
    this.#time.hear(welcome.nowMs, askedAtMs, welcome.clock);
    if (this.#submitter.holdsAnother(outboxThrough, welcome.outboxTime)) return this.#adopt();
    this.#submitter.observeHorizon(welcome);
    this.#progress.start();
    this.#state.welcome(head, this.#limits.lagMax);
    this.#horizon.start(welcome.horizonMs);
    this.#disk.welcome(welcome);
    if (this.#disk.visits) return this.#updateStatus();
    this.#settlement.begin(link, welcome);
    const { isActive: reconciles } = this.#settlement.reconciliation;
    const facts = { directory: this.#choice.current, reconciles };
    this.#options.logger.info("taken in by a directory", facts);
    const keys = this.#submitter.attach(link, outboxThrough, welcome.holdBack);
    this.#settlement.home.onWelcome(welcome, keys);
    this.#positions.restart(welcome, this.#submitter.acknowledgedThrough);
    this.#committed.reach(this.#submitter.acknowledgedThrough);
    this.#acknowledgements.onDirectory(this.#submitter.acknowledgedThrough);
    this.#updateStatus();
  }

  /** Counts as a new database from here on: this one is an older copy of one that went on. */
  #adopt(): void {
    this.#options.logger.warn("the database is a restored copy; it takes a new identity");
    this.#submitter.adopt(this.#options.random);
  }

  /** Something could not be made durable, or is wrong with what the link carries. */
  #onFailed(failure: MeridianError): void {
    const keepsLink = this.#disk.lose(failure);
    if (!keepsLink || this.#settlement.reconciliation.isActive) this.#link.reset(failure);
    else this.#updateStatus();
  }

  /** What a reconciliation has compared no longer holds where stamps have become lower: it starts over. */
  #onRestamped(entries: readonly Entry[]): void {
    this.#options.onForget?.(entries.map(({ key }) => key));
    const failure = new MeridianError("OUT_OF_ORDER", "Stamps were lowered while compared");
    if (this.#settlement.reconciliation.isActive) this.#link.reset(failure);
  }

  #onReconciled(): void {
    this.#acknowledgements.onSentAgain(this.#submitter.acknowledgedThrough + 1);
    this.#link.send({ type: "reconciled", nowMs: this.#time.ownMs() });
    this.#state.reconciled(this.#applier.wholeThrough);
    this.#updateStatus();
  }

  #onMessage(message: Exclude<DirectoryMessage, Welcome>): void {
    // To a visitor, nothing else says anything of the log in which it stands.
    if (this.#disk.visits && message.type !== "echo" && !message.type.startsWith("members")) return;
    this.#submitter.check(message);
    switch (message.type) {
      case "echo":
        this.#time.hear(message.nowMs, message.echoMs, message.clock);
        if (this.#disk.visits) return this.#checkPulse();
        this.#observe(message.head, message.committedThrough);
        this.#submitter.observeHorizon(message);
        this.#horizon.announce(message.horizon, message.horizonAt);
        this.#applier.adoptHorizon(() => this.#pulse.lowestTime());
        this.#settlement.home.observe(message.committedThrough, message.followed);
        this.#positions.check();
        this.#submitter.hold(message.holdBack);
        return this.#checkPulse();
      case "acknowledge":
        this.#observe(message.committedThrough, message.committedThrough);
        this.#positions.acknowledge(message.outboxThrough, message.committedThrough);
        return this.#onAcknowledge(message.outboxThrough, message.committedThrough);
      case "refuse":
        return this.#submitter.refuse(message.position, message.timeMax);
      case "applied-by":
        return this.#acknowledgements.onApplied(message.position, message.nodes, message.ready);
      case "located":
        return this.#positions.onLocated(message);
      case "members":
      case "members-changed":
        return this.#members.take(message);
      case "reconcile-begin":
        this.#progress.reconcileMoved();
        return this.#settlement.reconciliation.begin(message.head, message.horizon);
      case "compared":
      case "wanted":
        this.#progress.reconcileMoved();
        return this.#settlement.reconciliation.onAnswer(message);
      case "registry":
      case "standing":
        // Not for a node on this link.
        return;
    }
  }

  /** Until a reconciliation begins, the applier stands in another log, of which this one's sequences say nothing. */
  #observe(head: number, committedThrough: number): void {
    if (this.#settlement.reconciliation.isWaiting) return;
    this.#applier.observe(head, committedThrough);
  }

  #onAcknowledge(position: number, committedThrough: number): void {
    this.#progress.outboxMoved();
    const keys = this.#submitter.acknowledge(position);
    this.#settlement.home.onAcknowledged(position, committedThrough, keys);
    this.#acknowledgements.onDirectory(position);
    this.#committed.reach(position);
  }

  #onApplied(): void {
    this.#progress.logMoved();
    this.#settlement.home.advance();
    this.#positions.check();
    if (this.status === "syncing") this.#updateStatus();
  }

  #onDown(): void {
    this.#submitter.detach();
    this.#settlement.onDown();
    this.#committed.forget();
    this.#members.clear();
    this.#disk.down();
    this.#updateStatus();
  }

  #heartbeat(): NodeMessage {
    this.#pulse.save();
    return this.#pulse.heartbeat(this.status, this.#link.up);
  }

  #checkPulse(): void {
    const stall = this.#pulse.stall();
    if (stall !== undefined) this.#link.reset(stall);
    this.#updateStatus();
  }

  #updateStatus(): void {
    if (!this.#state.update(this.#pulse.facts(this.#link.up))) return;
    this.#options.logger.info("status", { status: this.status });
    this.#options.onStatus?.(this.status);
    if (this.#link.up) this.#link.send(this.#heartbeat());
  }
}
