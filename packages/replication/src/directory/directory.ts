/**
 * The directory as a state machine: it knows the registered nodes, the log, and how far each node has applied it. `DirectorySession`, `Sequencer` and
 * `Feed` do the work; this file makes them and connects their events.
 */
import type { DirectoryLog, Done, FeedStart, Link, LinkEvents, LogDoubt } from "@meridian/ports";
import { asMeridianError, MeridianError, type Entry, type Hello } from "@meridian/protocol";
import type { Clock, Logger, Metrics } from "@meridian/runtime";

import { Events } from "../events.ts";
import type { PeerInfo } from "../follow/follower.ts";
import { Peers, type FollowOptions } from "../follow/peers.ts";
import { DirectoryHorizon } from "../horizon/directory-horizon.ts";
import type { DirectoryLimits } from "../limits.ts";
import { Sequencer } from "../order/sequencer.ts";
import { AppliedNews } from "./applied-news.ts";
import { ALL_RULES, type Rules } from "../rules.ts";
import { Conditions, type ConditionsInfo } from "./conditions.ts";
import type { ClocksInfo } from "./clocks-info.ts";
import { DirectoryClocks } from "./directory-clocks.ts";
import { contextOf, type DirectoryContext, type DirectoryEvents } from "./directory-context.ts";
import { registerDirectory } from "./directory-metrics.ts";
import { DirectorySession } from "./directory-session.ts";
import { HeatSum } from "./heat-sum.ts";
import { Membership, type AbsentMember, type MemberInfo } from "./membership.ts";
import { ReconcileTurns } from "./reconcile-turns.ts";
import { KeptComparisons } from "./kept-comparisons.ts";
import type { SessionHost } from "./session-host.ts";

/** How a directory is made. */
export interface DirectoryOptions {
  /** Nodes of another cluster are refused. */
  readonly cluster: string;
  readonly log: DirectoryLog;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Where the directory registers its numbers. */
  readonly metrics?: Metrics;
  readonly limits?: Partial<DirectoryLimits>;
  /** Whether other directories may serve nodes from the same log: nodes are told, and choose the nearest. */
  readonly sharesLog?: boolean;
  /** The other directories that have logs of their own; without it, there are none. */
  readonly follow?: FollowOptions;
  /** Called when a node has come, gone or changed its status, here or with another directory. */
  readonly onMembers?: () => void;
  /** Called with entries on their way into the log some of which have reserved keys. */
  readonly onReserved?: (entries: readonly Entry[]) => void;
  /**
   * Called when the log cannot be written and that will not pass. The process is to end; every node still has what was not
   * acknowledged.
   */
  readonly onFatal?: (failure: MeridianError) => void;
  /** Runs `callback` in the next turn of the event loop. */
  defer(callback: () => void): void;
}

/** The directory in numbers. */
export interface DirectoryInfo {
  readonly logId: number;
  readonly epoch: number;
  readonly head: number;
  readonly committedThrough: number;
  /** A stamp time: tombstones of that time and before are forgotten, and what is as old and absent was deleted. */
  readonly horizon: number;
  /** Until when the horizon does not follow the clock, in milliseconds since the Unix epoch. */
  readonly horizonFrozenUntilMs: number;
  readonly recentBytes: number;
  readonly connections: number;
  readonly members: number;
  /** The node that reconciles now, if one does (the one that began last, if several do), and how many wait for their turn. */
  readonly reconciling: string | null;
  readonly reconcileWaiting: number;
  /** Whether the directory is catching up with others, and takes no nodes in. */
  readonly syncing: boolean;
  /** Why the log cannot be written now, so that nodes hold back; null while it can. */
  readonly stall: string | null;
  /** The directories that it follows. */
  readonly peers: readonly PeerInfo[];
  /** Whose clocks agree, and whose do not. */
  readonly clocks: ClocksInfo;
  /** Whether it decides conditions. */
  readonly conditions: ConditionsInfo;
}

/** A directory without sockets and disk: links are given to `accept`, and the log is a port. */
export class Directory {
  readonly #options: DirectoryOptions;
  readonly #context: DirectoryContext;
  readonly #sessions = new Set<DirectorySession>();
  readonly #peers: Peers;
  readonly #membership: Membership;
  /** What time it is for the cluster. */
  readonly clocks: DirectoryClocks;
  readonly #sequencer: Sequencer;
  readonly #horizon: DirectoryHorizon;
  readonly #appliedNews: AppliedNews;
  readonly #turns: ReconcileTurns;
  readonly #host: SessionHost;
  readonly #conditions: Conditions;
  #watchedAtMs = 0;
  #stopped = false;

  /** Makes the parts, each after the parts that it needs, and connects their events at the end. */
  constructor(options: DirectoryOptions, rules: Rules = ALL_RULES) {
    const events = new Events<DirectoryEvents>();
    const defer = (callback: () => void): void => this.#defer(callback);
    const context = contextOf({ ...options, defer }, events, rules);
    this.#options = options;
    this.#context = context;
    this.#peers = new Peers(context);
    this.#membership = new Membership(context, this.#sessions, this.#peers);
    this.clocks = new DirectoryClocks(context, this.#peers, this.#membership);
    this.#sequencer = new Sequencer(context, this.clocks.ceiling);
    const parts = {
      peers: this.#peers,
      membership: this.#membership,
      clocks: this.clocks,
      sequencer: this.#sequencer,
    };
    this.#horizon = new DirectoryHorizon(context, parts);
    const comparisons = new KeptComparisons();
    const heat = new HeatSum(context.clock);
    const linkBytesMax = (): number => linkBytesOf(context.limits, this.#sessions.size);
    const horizon = this.#horizon;
    const conditions = new Conditions(context, { ...parts, horizon });
    this.#conditions = conditions;
    this.#host = { ...context, ...parts, horizon, comparisons, heat, conditions, linkBytesMax };
    if (options.follow !== undefined) this.#peers.follow(options.follow, this.#host);
    this.#appliedNews = new AppliedNews(context, this.#membership);
    this.#turns = new ReconcileTurns(context, this.#membership);
    events.connect(this.#handlers());
    const [limits, sessions, turns] = [context.limits, this.#sessions, this.#turns];
    const bounded = { ...parts, limits, sessions, turns, heat, log: context.log };
    if (options.metrics !== undefined) registerDirectory(options.metrics, bounded);
  }

  /** Subscribes to the events of the parts. */
  #handlers(): DirectoryEvents {
    const { logger } = this.#context;
    return {
      ordered: (frame) => {
        this.#peers.onOrdered(frame);
        for (const session of this.#sessions) session.push(frame);
      },
      reserved: (entries) => this.#options.onReserved?.(entries),
      committed: (incarnation, position) => {
        this.#peers.onDurable();
        this.#membership.ofIncarnation(incarnation)?.acknowledge(position);
      },
      failed: (failure) => this.#fail(failure),
      greeted: (session, hello) => this.#register(session, hello),
      progressed: (session, statusChanged) => this.#onProgress(session, statusChanged),
      watched: (session) => this.#appliedNews.watch(session),
      crowded: (session, bytes) => this.#makeRoom(session, bytes),
      turnAsked: (session, begin) => this.#turns.ask(session, begin),
      turnCame: (session, begin) => this.#beginTurn(session, begin),
      reconciled: (session) => this.#turns.end(session),
      membersChanged: () => this.#options.onMembers?.(),
      appliersChanged: () => this.#appliedNews.changed(),
      elsewhereChanged: () => this.#membership.onElsewhere(),
      clockHeard: (id, wallMs) => this.clocks.hear(id, wallMs),
      remembered: (members) => this.#membership.merge(members),
      followerChanged: () => this.#peers.update(),
      synced: () => logger.info("caught up with the other directories"),
    };
  }

  /** The registered nodes, here and with the other directories. */
  get members(): readonly MemberInfo[] {
    return this.#membership.present;
  }

  /** The node of that id, if it has its link here. */
  linked(id: string): MemberInfo | undefined {
    return this.#membership.linked(id);
  }

  /** The nodes that were registered once, were not forgotten, and are not there. */
  get absent(): readonly AbsentMember[] {
    return this.#membership.absent;
  }

  /**
   * Forgets a node that is gone, and returns what was known of it; calls back once that is durable. Throws `NODE_NOT_FOUND` for one that is
   * not remembered, and `NODE_PRESENT` for one that is there.
   */
  forget(id: string, done: Done): AbsentMember {
    return this.#membership.forget(id, done);
  }

  /**
   * Decides conditions again, although the log may have lost something. Returns what had shown that, null if nothing has; calls back once it is durable.
   */
  acceptLoss(done: Done): LogDoubt | null {
    return this.#conditions.accept(done);
  }

  /** Whether the log has what the others of the cluster have: a node is ready here, or another directory is followed, and caught up with. */
  get isWhole(): boolean {
    if (this.#peers.isSyncing) return false;
    const hasReady = this.#membership.sessions.some(({ status }) => status === "ready");
    return hasReady || this.#peers.info.some(({ connected }) => connected);
  }

  /** Why the directory takes no nodes or no frames in now; undefined while it does. */
  get notReady(): MeridianError | undefined {
    if (!this.#peers.isSyncing) return this.#options.log.stall;
    return new MeridianError("DIRECTORY_SYNCING", "The directory is catching up with the others");
  }

  /** Starts watching leases, and the horizon. */
  start(): void {
    this.#watchedAtMs = this.#options.clock.elapsedMs();
    this.#horizon.start();
    this.#watchLeases();
    this.#stepHorizon();
    this.#peers.start();
    this.#membership.start();
  }

  /** Ends every link. Frames that were taken but not committed are still their senders'. */
  stop(): void {
    this.#stopped = true;
    this.#membership.stop();
    this.#peers.stop();
    this.#context.deadlines.clear();
    for (const session of this.#sessions) {
      session.close(new MeridianError("GOING_AWAY", "The directory is shutting down"));
    }
  }

  /** Whatever was begun goes on only while the directory runs. */
  #defer(callback: () => void): void {
    this.#options.defer(() => {
      if (!this.#stopped) callback();
    });
  }

  /** Sends all nodes to other directories. They keep what was not acknowledged. One that comes back is taken in again. */
  release(why: MeridianError): void {
    for (const session of this.#membership.sessions) session.close(why);
  }

  /**
   * Takes in a new link. `remoteAddress` is the node's address where it names none itself. If another directory holds the link and feeds the node,
   * `feedElsewhere` is told from where on.
   */
  accept(
    link: Link,
    remoteAddress: string,
    feedElsewhere?: (start: FeedStart) => void,
  ): LinkEvents {
    const session = new DirectorySession(this.#host, link, remoteAddress, feedElsewhere);
    this.#sessions.add(session);
    if (this.#stopped)
      session.close(new MeridianError("GOING_AWAY", "The directory is shutting down"));
    return {
      onOpen: () => {},
      onMessage: (message) => session.onMessage(message),
      onPart: () => session.onPart(),
      onDrain: () => session.onDrain(),
      onClose: (code, reason) => this.#drop(session, `link closed (${code}) ${reason}`),
    };
  }

  /** The `registry` message: who is there, for directories that serve nodes beside this one. */
  get registry(): string {
    const { head } = this.#sequencer;
    const { lowestTime } = this.#horizon;
    const early = this.#membership.sessions.every((each) => each.takesEarly);
    return this.#membership.registryFor(Infinity, { head, lowestTime, early }).text;
  }

  /** The directory in numbers, for an operator. */
  info(): DirectoryInfo {
    const { logId, epoch } = this.#options.log;
    return {
      logId,
      epoch,
      head: this.#sequencer.head,
      committedThrough: this.#sequencer.committedThrough,
      horizon: this.#horizon.horizon,
      horizonFrozenUntilMs: this.#horizon.frozenUntilMs,
      recentBytes: this.#sequencer.recentBytes,
      connections: this.#sessions.size,
      members: this.#membership.size,
      reconciling: this.#turns.current?.id ?? null,
      reconcileWaiting: this.#turns.waiting,
      syncing: this.#peers.isSyncing,
      stall: this.#options.log.stall?.message ?? null,
      peers: this.#peers.info,
      clocks: this.clocks.info,
      conditions: this.#conditions.info,
    };
  }

  /** Bytes that have not left this process, of the link that has most. */
  get linkBytes(): number {
    return [...this.#sessions].reduce((most, each) => Math.max(most, each.bufferedBytes), 0);
  }

  #register(session: DirectorySession, hello: Hello): void {
    const previous = this.#membership.previousOf(hello);
    if (previous !== undefined) {
      previous.close(new MeridianError("SESSION_REPLACED", "The same node has connected again"));
      this.#drop(previous, "replaced by a new link of the same node");
    }
    this.#options.logger.info("node registered", { node: hello.nodeId, status: hello.status });
    this.#membership.add(session, hello);
    this.clocks.hear(hello.nodeId, hello.nowMs);
    this.clocks.judge();
  }

  #onProgress(session: DirectorySession, statusChanged: boolean): void {
    if (statusChanged) {
      this.#options.logger.info("node status", { node: session.id, status: session.status });
      this.#membership.announce();
    }
    this.#membership.onHeard(session);
    this.#appliedNews.changed();
  }

  #drop(session: DirectorySession, why: string): void {
    if (session.isClosed) return;
    session.leave();
    this.#sessions.delete(session);
    this.#turns.end(session);
    if (!this.#membership.remove(session)) return;
    this.#options.logger.info("node gone", { node: session.id, why });
    this.#appliedNews.leave(session);
  }

  /**
   * Disconnects the node that has most frames waiting for the disk, if they are more than a node needs; the node still has them. So the bound is
   * exceeded by at most what one node may have. If no node has more than it needs, throws `OVERLOADED` to the one that sends more.
   */
  #makeRoom(session: DirectorySession, bytes: number): void {
    const { commitBytesMax, nodeBytesMax } = this.#context.limits;
    const waiting = this.#sequencer.pendingBytes + bytes;
    const said = `Expected at most ${commitBytesMax} bytes of frames waiting for the disk, got ${waiting}`;
    const error = new MeridianError("OVERLOADED", said);
    const fullest = [...this.#sessions].reduce((most, each) =>
      each.pendingBytes > most.pendingBytes ? each : most,
    );
    const isGreedy = fullest !== session && fullest.pendingBytes > nodeBytesMax / 4;
    if (!isGreedy || waiting > commitBytesMax + nodeBytesMax) throw error;
    fullest.close(error);
    this.#drop(fullest, "its frames fill what may wait for the disk");
  }

  #beginTurn(session: DirectorySession, begin: (head: number) => void): void {
    this.#options.logger.info("node reconciles", { node: session.id });
    // Entries that are durable now can be read once the log has settled. Later ones come by the feed.
    const head = this.#sequencer.committedThrough;
    this.#options.log.settle((failure) => {
      if (!this.#turns.begun.includes(session)) return;
      if (failure !== undefined) return session.close(failure);
      // Here nobody else would catch what reading the log throws.
      try {
        begin(head);
      } catch (cause) {
        session.close(asMeridianError(cause));
      }
    });
  }

  #stepHorizon(): void {
    this.#context.deadlines.after(this.#horizon.stepMs, () => {
      this.#peers.forgetNews();
      this.#horizon.step();
      this.#stepHorizon();
    });
  }

  #watchLeases(): void {
    const { leaseMs, greetingMs } = this.#context.limits;
    const everyMs = leaseMs / 6;
    const nowMs = this.#options.clock.elapsedMs();
    // A directory that was itself at a standstill could not hear its nodes.
    const lateMs = nowMs - this.#watchedAtMs - everyMs;
    this.#watchedAtMs = nowMs;
    if (lateMs > everyMs) {
      for (const session of this.#sessions) session.excuse(lateMs);
      this.#peers.excuse(lateMs);
    }
    for (const session of this.#sessions) {
      if (session.silentMs <= (session.hasGreeted ? leaseMs : greetingMs)) continue;
      session.close(
        new MeridianError("LEASE_EXPIRED", `Expected a message within ${leaseMs} ms, got none`),
      );
      this.#drop(session, "lease expired");
    }
    this.clocks.judge();
    const { confirmedNowMs } = this.clocks;
    if (confirmedNowMs !== undefined) this.#sequencer.admitAhead(confirmedNowMs);
    for (const session of this.#sessions) session.decideRefusal();
    this.#peers.watchLeases();
    // Writers no longer wait for a node that has stopped applying.
    this.#appliedNews.changed();
    this.#watchTurns();
    this.#context.deadlines.after(everyMs, () => this.#watchLeases());
  }

  #watchTurns(): void {
    this.#turns.watch();
    // Nodes are not blamed for a standstill while the directory cannot write what they send.
    if (this.#options.log.stall !== undefined) return;
    const { turnRestMs } = this.#context.limits;
    for (const session of this.#sessions) {
      if (session.reconcileRestMs <= turnRestMs) continue;
      const said = `Expected its reconciliation to go on within ${turnRestMs} ms`;
      session.close(new MeridianError("OUT_OF_ORDER", said));
      this.#drop(session, "its reconciliation came to rest");
    }
  }

  #fail(failure: MeridianError): void {
    if (this.#stopped) return;
    this.#options.logger.error("the log cannot be written", { error: failure.message });
    this.stop();
    this.#options.onFatal?.(failure);
  }
}

function linkBytesOf({ linkBytesMax, allLinksBytesMax }: DirectoryLimits, links: number): number {
  return Math.min(linkBytesMax, allLinksBytesMax / Math.max(1, links));
}
