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
  MeridianError,
  type Entry,
  type Acknowledgement,
  type AckLevel,
  type Member,
  type NodeMessage,
  type NodeStatus,
  type Position,
  type Welcome,
} from "@meridian/protocol";

import { Events } from "../events.ts";
import { ReplicaHorizon } from "../horizon/replica-horizon.ts";
import { Applier } from "../intake/applier.ts";
import { LogPosition } from "../intake/log-position.ts";
import { ReplicaIntake } from "../intake/replica-intake.ts";
import { DirectoryChoice } from "../link/directory-choice.ts";
import { isForNode, type NodeLinkMessage } from "../link/link-messages.ts";
import { ProgressWatch } from "../link/progress-watch.ts";
import { ReplicaLink, type LinkFacts } from "../link/replica-link.ts";
import { ALL_RULES, type Rules } from "../rules.ts";
import { Acknowledgements } from "./acknowledgements.ts";
import { CommittedOutbox } from "./committed-outbox.ts";
import type { EarlyEntries } from "./early-entries.ts";
import { HeatNews } from "./heat-news.ts";
import { Home } from "./home.ts";
import { KnownMembers } from "./known-members.ts";
import { LinkUse } from "./link-use.ts";
import { contextOf, type NodeContext, type NodeEvents } from "./node-context.ts";
import { Positions } from "./positions.ts";
import { Proposals } from "./proposals.ts";
import { Pulse } from "./pulse.ts";
import { Quarantine } from "./quarantine.ts";
import { registerReplica } from "./replica-metrics.ts";
import { infoOf, type ReplicaInfo, type ReplicaOptions } from "./replica-options.ts";
import { Restamper } from "./restamper.ts";
import { ServingState } from "./serving-state.ts";
import { Settlement } from "./settlement.ts";
import { Submitter } from "./submitter.ts";
import {
  WritePath,
  type BatchWrite,
  type Receipt,
  type WriteDone,
  type WriteNeeds,
} from "./write-path.ts";

const UNREPORTED: WriteNeeds = { reportApplied: false };

/** The replication of one node without sockets and disk: `dial` makes its links, and its store is a port. */
export class Replica {
  readonly #options: ReplicaOptions;
  readonly #context: NodeContext;
  readonly #position: LogPosition;
  /** The directories that can be dialled, to which more may be added. */
  readonly directories: DirectoryChoice;
  readonly #link: ReplicaLink<NodeLinkMessage>;
  readonly #progress: ProgressWatch;
  readonly #horizon: ReplicaHorizon;
  readonly #writes: WritePath;
  readonly #applier: Applier;
  readonly #submitter: Submitter;
  readonly #restamper: Restamper;
  readonly #home: Home;
  readonly #settlement: Settlement;
  readonly #use: LinkUse;
  readonly #pulse: Pulse;
  readonly #positions: Positions;
  /** What has come before the log had it. */
  readonly early: EarlyEntries;
  /** How widely writes are known. */
  readonly acknowledgements: Acknowledgements;
  /** Conditions that the directory decides for the whole cluster. */
  readonly proposals: Proposals;
  /** The entries that the cluster has deleted while this node was away. */
  readonly quarantine: Quarantine;
  readonly #state = new ServingState();
  readonly #members = new KnownMembers();
  /** Which keys clients have read here lately, and on other nodes. */
  readonly heat: HeatNews;
  readonly #committed = new CommittedOutbox();
  #isStopped = false;

  /** Makes each part from the parts that it needs, and connects their events last. */
  constructor(options: ReplicaOptions, rules: Rules = ALL_RULES) {
    const events = new Events<NodeEvents>();
    const context = contextOf(options, events, rules);
    const { store, clock, limits } = context;
    this.#options = options;
    this.#context = context;
    this.early = context.early;
    this.#position = new LogPosition(store.cursor);
    this.directories = new DirectoryChoice(context, this.#position);
    this.#link = new ReplicaLink(context, isForNode, this.directories);
    this.heat = new HeatNews(context, this.#link);
    this.proposals = new Proposals(context, this.#position, this.#link);
    this.#progress = new ProgressWatch(clock, limits.stallMs, rules);
    this.#horizon = new ReplicaHorizon(store);
    this.#writes = new WritePath(context);
    this.quarantine = new Quarantine(context, this.#writes);
    const intake = new ReplicaIntake(context, this.#position, this.#horizon);
    this.#applier = new Applier(this.#position, intake, context);
    this.#submitter = new Submitter(context);
    this.#restamper = new Restamper(context, this.#writes, this.#submitter);
    this.#home = new Home(context, this.#position, this.#applier);
    const parts = {
      position: this.#position,
      link: this.#link,
      progress: this.#progress,
      horizon: this.#horizon,
      writes: this.#writes,
      applier: this.#applier,
      submitter: this.#submitter,
      restamper: this.#restamper,
      home: this.#home,
      committed: this.#committed,
      state: this.#state,
    };
    this.#settlement = new Settlement(context, parts);
    this.#use = new LinkUse(store, this.#position, this.#home);
    const { reconciliation } = this.#settlement;
    this.#pulse = new Pulse(context, { ...parts, reconciliation, use: this.#use });
    this.#positions = new Positions(context, parts);
    this.acknowledgements = new Acknowledgements(context);
    events.connect(this.#handlers());
    const waited = { acknowledgements: this.acknowledgements, positions: this.#positions };
    const bounded = { ...context, ...waited, submitter: parts.submitter };
    if (options.metrics !== undefined) registerReplica(options.metrics, this, bounded);
  }

  /** How many reconciliations have come to their end. */
  reconciliations = 0;

  get status(): NodeStatus {
    return this.#state.status;
  }

  /** The registered nodes, this one included, as the directory last told. */
  get members(): readonly Member[] {
    return this.#members.list;
  }

  /** Cluster time, in milliseconds since the Unix epoch: the clock to judge expiry by. */
  nowMs(): number {
    return this.#context.time.nowMs();
  }

  /** Cluster time as a majority of the members has agreed on it for a while; undefined where none has: what cannot be undone waits for it. */
  get confirmedNowMs(): number | undefined {
    return this.#context.time.confirmedMs(this.#context.limits.confirmMs);
  }

  /** Starts connecting. */
  start(): void {
    this.#options.onStatus?.(this.status);
    this.#context.deadlines.after(this.#context.limits.joinMs, () => {
      this.#state.expireJoin();
      this.#updateStatus();
    });
    if (this.#options.store.isCopy) this.#restamper.renewOutbox(() => {});
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
      this.#context.deadlines.after(this.#context.limits.drainMs, resolve);
      this.#writes.close(() => {
        if (!this.#link.up) resolve();
        else this.#committed.after(this.#options.store.outboxThrough, resolve);
      });
    });
    this.#pulse.save();
    this.#positions.close();
    this.acknowledgements.close();
    this.directories.stop();
    this.#link.stop();
    this.proposals.close();
    this.#context.deadlines.clear();
  }

  /** The newest entry of `key`, tombstones and expired ones included. */
  get(key: string): Entry | undefined {
    return this.early.get(key);
  }

  /**
   * Writes a batch as one. Resolves once it is durable here; rejects with what a check threw or why the store could not.
   */
  write(requests: readonly BatchWrite[], needs: WriteNeeds = UNREPORTED): Promise<Receipt> {
    return new Promise((resolve, reject) => {
      this.commit(requests, needs, (failure, receipt) =>
        receipt === undefined ? reject(failure) : resolve(receipt),
      );
    });
  }

  /** As `write`, but calls back. */
  commit(requests: readonly BatchWrite[], needs: WriteNeeds, done: WriteDone): void {
    this.#writes.write(requests, needs, done);
  }

  /** Resolves once a write is as widely known as asked, or after `timeoutMs` with what is known then. */
  acknowledgement(receipt: Receipt, level: AckLevel, timeoutMs: number): Promise<Acknowledgement> {
    return this.acknowledgements.wait(receipt.outboxPosition, level, timeoutMs);
  }

  /** How often the disk has refused entries that clients may have seen: to be given to `position`. */
  get losses(): number {
    return this.#positions.losses;
  }

  /** What a client has seen that is answered now, and whose request came when there had been `losses` losses. Default: as many as now. */
  position(losses?: number): Position {
    return this.#positions.current(losses);
  }

  /** Whether the node has reached `position` already. */
  hasReached(position: Position): boolean {
    return this.#positions.hasReached(position);
  }

  /** Resolves to whether the node reaches `position` within `waitMs`. Rejects with `OVERLOADED` if too many wait. */
  reach(position: Position, waitMs: number): Promise<boolean> {
    return this.#positions.reach(position, waitMs);
  }

  /** The replica in numbers, for an operator. */
  info(): ReplicaInfo {
    return infoOf(this.#options.store, this.#position, this.#submitter, this.#context.time, {
      lagMs: this.#pulse.lagMs(this.#link.up),
      connected: this.#link.up,
      directory: this.directories.current,
      reconciling: this.#settlement.reconciliation.isActive,
      refusal: this.#link.refusal?.code ?? null,
    });
  }

  /** The link to the directory. */
  get link(): LinkFacts {
    return this.#link;
  }

  /** The handlers of the events of the parts. */
  #handlers(): NodeEvents {
    const { reconciliation } = this.#settlement;
    return {
      greeting: () => this.#pulse.hello(this.status),
      heartbeat: () => this.#heartbeat(),
      welcomed: (link, welcome, askedAtMs) => this.#onWelcome(link, welcome, askedAtMs),
      told: (message) => this.#onMessage(message),
      frameCame: (bytes) => this.#onFrame(bytes),
      partCame: () => this.#progress.start(),
      drained: () => this.#submitter.pump(),
      down: () => this.#onDown(),
      incarnationReused: () => this.#restamper.adopt(),
      betterFound: () => this.#link.move(),
      durable: (frame, entries, facts) => {
        this.#options.onChange?.(entries, facts.isNew);
        this.#submitter.offer(frame, entries, facts);
        this.#positions.check();
      },
      changed: (entries) => this.#options.onChange?.(entries, false),
      taken: (through, keys) => this.#home.onTaken(through, keys),
      corrected: (entries, offered) => this.#settlement.offer(entries, offered),
      overdue: (entries, offered) => this.#writes.offer(entries, offered),
      returned: (entries, outranked) => this.#settlement.outrank(entries, outranked),
      traced: (frame) => this.#options.onTraced?.(frame),
      quarantined: (entries) => this.quarantine.report(entries),
      donated: (id, count) => reconciliation.onDonation(id, count),
      applied: () => this.#onApplied(),
      reported: (through) => this.#pulse.report(through, this.#link),
      outdated: () => this.#settlement.unsettle(),
      takingBack: () => this.#settlement.onTakingBack(),
      restamped: (entries) => this.#onRestamped(entries),
      renewed: () => reconciliation.proceed(),
      lacked: () => {
        this.#submitter.lack();
        this.acknowledgements.onLack(this.#submitter.acknowledgedThrough);
      },
      completed: (position) => {
        this.#submitter.complete(position);
        this.acknowledgements.onSentAgain(position);
      },
      reconciled: () => this.#onReconciled(),
      refused: () => this.#onRefused(),
      lost: (failure) => this.#onFailed(failure),
      failed: (failure) => this.#onFailed(failure),
    };
  }

  #onFrame(bytes: Uint8Array): void {
    // Until the node's turn to reconcile comes, it stands in another log than the one whose frames come.
    if (this.#settlement.reconciliation.isWaiting || !this.#use.takesIn) return;
    this.#progress.reconcileMoved();
    this.#applier.take(bytes);
  }

  #onWelcome(link: Link, welcome: Welcome, askedAtMs: number): void {
    this.#context.time.maxDriftMs = welcome.maxClockDriftMs;
    this.#context.time.hear(welcome.nowMs, askedAtMs, welcome.clock);
    this.heat.welcome(welcome);
    this.early.welcome(welcome);
    const renew = this.#restamper.renewalDue(welcome);
    if (renew !== undefined) return this.#use.visitDuring(renew);
    this.#submitter.observeHorizon(welcome);
    this.#progress.start();
    this.#state.welcome(welcome.head, this.#context.limits.lagMax);
    this.#horizon.start(welcome.horizonMs);
    this.#use.welcome(welcome);
    if (this.#use.visits) return this.#updateStatus();
    this.proposals.welcome(welcome);
    this.#settlement.begin(link, welcome);
    const { isActive: reconciles } = this.#settlement.reconciliation;
    const facts = { directory: this.directories.current, reconciles };
    this.#options.logger.info("taken in by a directory", facts);
    this.#restamper.noteTime();
    this.#positions.restart(welcome, this.#submitter.acknowledgedThrough);
    this.#submitter.attach(link, welcome, (keys) => this.#onAttached(welcome, keys));
    this.#updateStatus();
  }

  /** The submitter has begun to send the part of the outbox that the directory lacks. */
  #onAttached(welcome: Welcome, keys: readonly string[]): void {
    const { acknowledgedThrough } = this.#submitter;
    this.#home.onWelcome(welcome, keys);
    this.#positions.acknowledge(acknowledgedThrough, welcome.committedThrough);
    this.#positions.check();
    this.proposals.check();
    this.#committed.reach(acknowledgedThrough);
    this.acknowledgements.onDirectory(acknowledgedThrough);
  }

  /** Corrects the node's place before the parts hear that their records have failed: some of them report or save the place at once. */
  #onRefused(): void {
    const isBack = this.#applier.isKeeping;
    if (isBack) {
      this.#positions.onLosing(this.#options.store.cursor);
      this.#position.returnTo(this.#options.store.cursor);
    }
    this.#home.onLost(isBack);
  }

  /** Something could not be made durable, or is wrong with what the link carries. */
  #onFailed(failure: MeridianError): void {
    const keepsLink = this.#use.lose(failure);
    if (!keepsLink || this.#settlement.reconciliation.isActive) this.#link.reset(failure);
    else this.#updateStatus();
  }

  /** What a reconciliation has compared no longer holds where stamps have become lower: it starts over. */
  #onRestamped(entries: readonly Entry[]): void {
    this.#options.onRestamped?.(entries);
    const failure = new MeridianError("OUT_OF_ORDER", "Stamps were lowered while compared");
    if (!this.#context.rules.restampingRestartsComparison) return;
    if (this.#settlement.reconciliation.startOver()) this.#link.reset(failure);
  }

  #onReconciled(): void {
    this.reconciliations += 1;
    this.#link.send({ type: "reconciled", nowMs: this.#context.time.ownMs() });
    this.#state.reconciled(this.#position.wholeThrough);
    this.#updateStatus();
  }

  #onMessage(message: NodeLinkMessage): void {
    // A visitor stands in another log, so it acts only on messages that do not depend on the log.
    if (this.#use.visits && message.type !== "echo" && !message.type.startsWith("members")) return;
    this.#submitter.check(message);
    switch (message.type) {
      case "echo":
        this.#context.time.hear(message.nowMs, message.echoMs, message.clock);
        if (this.#use.visits) return this.#checkPulse();
        this.#observe(message.head, message.committedThrough);
        this.#submitter.observeHorizon(message);
        this.#horizon.announce(message.horizon, message.horizonAt);
        this.#applier.adoptHorizon(() => this.#pulse.dueHorizon());
        this.#home.observe(message.committedThrough, message.followed);
        this.#positions.check();
        this.proposals.check();
        this.#restamper.noteTime();
        this.#submitter.hold(message.holdBack);
        return this.#checkPulse();
      case "acknowledge":
        this.#observe(message.committedThrough, message.committedThrough);
        this.#positions.acknowledge(message.outboxThrough, message.committedThrough);
        return this.#onAcknowledge(message.outboxThrough, message.committedThrough);
      case "refuse":
        return this.#settlement.refuse(message.position, message.timeMax);
      case "applied-by":
        return this.acknowledgements.onApplied(message.position, message.nodes, message.ready);
      case "located":
        return this.#positions.onLocated(message);
      case "members":
      case "members-changed":
        return this.#members.take(message);
      case "heat-elsewhere":
        return this.heat.hear(message.keys);
      case "decided":
        return this.proposals.onDecided(message);
      case "reconcile-begin":
        this.#progress.reconcileMoved();
        return this.#settlement.reconciliation.begin(message);
      case "compared":
      case "wanted":
        this.#progress.reconcileMoved();
        return this.#settlement.reconciliation.onAnswer(message);
    }
  }

  /** Until a reconciliation begins, the applier stands in another log, where this log's sequences mean nothing. */
  #observe(head: number, committedThrough: number): void {
    if (this.#settlement.reconciliation.isWaiting) return;
    this.#position.observe(head, committedThrough);
  }

  #onAcknowledge(position: number, committedThrough: number): void {
    this.#progress.outboxMoved();
    const keys = this.#submitter.acknowledge(position);
    this.#home.onAcknowledged(position, committedThrough, keys);
    this.acknowledgements.onDirectory(position);
    this.#committed.reach(position);
  }

  #onApplied(): void {
    this.#progress.logMoved();
    this.#home.advance();
    this.#positions.check();
    this.proposals.check();
    if (this.status === "syncing") this.#updateStatus();
  }

  #onDown(): void {
    this.#submitter.detach();
    this.#settlement.onDown();
    this.#members.clear();
    this.heat.down();
    this.proposals.down();
    this.#use.down();
    this.#updateStatus();
  }

  #heartbeat(): NodeMessage {
    this.#pulse.save();
    return this.#pulse.heartbeat(this.status, this.#link.up);
  }

  #checkPulse(): void {
    const stall = this.#pulse.stall(this.#link.bufferedBytes);
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
