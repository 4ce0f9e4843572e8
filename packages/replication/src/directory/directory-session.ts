/** The directory's side of one link: what one node says, and what it is told. */
import type { FeedStart, Link } from "@meridian/ports";
import {
  agree,
  asMeridianError,
  closeCodeOf,
  decodeNodeMessage,
  encodeMessage,
  EARLY,
  MEMBERS_CHANGED,
  GREETING_BYTES_MAX,
  MeridianError,
  OWN_FRAMES,
  TEXT_BYTES_MAX,
  TRACES,
  type Capabilities,
  type DirectoryMessage,
  type Follow,
  type Hello,
  type NodeLoad,
  type NodeMessage,
  type NodeStatus,
} from "@meridian/protocol";

import type { OrderedFrame } from "../order/recent-frames.ts";
import type { ApplyingNode } from "./applied-watch.ts";
import { standingOf } from "./answers.ts";
import { AppliedProgress } from "./applied-progress.ts";
import { checkApplied } from "./claims.ts";
import { FeedElsewhere } from "./feed-elsewhere.ts";
import { Feed, type NodeFeed } from "./feed.ts";
import {
  checkCluster,
  checkFollow,
  checkHello,
  outboxOf,
  takeInFollower,
  homeIn,
  takeInNode,
  type Introduction,
  type TakenIn,
} from "./greeting.ts";
import { OutboxIntake } from "./outbox-intake.ts";
import { Pace } from "./pace.ts";
import type { SessionHost } from "./session-host.ts";
import { NOTHING_REPORTED, reportOf } from "./report.ts";
import { SessionHeat } from "./session-heat.ts";
import { SessionProposals } from "./session-proposals.ts";
import { SessionReconciliation } from "./session-reconciliation.ts";

/** The state of one link of a directory: takes in what the peer sends, and sends what the directory has for it. */
export class DirectorySession implements ApplyingNode {
  readonly #host: SessionHost;
  readonly #link: Link;
  readonly remoteAddress: string;
  readonly connectedAtMs: number;
  #introduction: Introduction = { kind: "none" };
  #feed: NodeFeed | undefined;
  readonly #feedElsewhere: ((start: FeedStart) => void) | undefined;
  readonly #reconciliation: SessionReconciliation;
  readonly #intake: OutboxIntake;
  readonly #heat: SessionHeat;
  readonly #proposals: SessionProposals;
  #heardAtMs: number;
  #isClosed = false;
  /** The number of the last change of the roster that this follower has been told. */
  #rosterTold = 0;
  /** When it was last told the registry. */
  #registryAtMs = -Infinity;

  #report = NOTHING_REPORTED;
  /** By how much the node's clock was ahead of elapsed time here when it was last heard. */
  #clockOffsetMs = 0;
  readonly #applied: AppliedProgress;
  readonly #pace: Pace;
  /** The position through which the outbox is committed, if the node is to be told so at the end of this turn. */
  #committed: number | undefined;
  /** The last sequence that the peer had when it greeted, or that an earlier feed of this link had sent. */
  #fedBefore = 0;

  /** `feedElsewhere`: another directory holds the link, and is told from where on it is to feed the node. */
  constructor(
    host: SessionHost,
    link: Link,
    remoteAddress: string,
    feedElsewhere?: (start: FeedStart) => void,
  ) {
    this.#host = host;
    this.#link = link;
    this.#feedElsewhere = feedElsewhere;
    this.remoteAddress = remoteAddress;
    this.connectedAtMs = host.clock.nowMs();
    this.#heardAtMs = host.clock.elapsedMs();
    this.#applied = new AppliedProgress(this.#heardAtMs);
    this.#pace = new Pace(host.limits.heartbeatMs);
    this.#reconciliation = new SessionReconciliation({
      host,
      link,
      session: this,
      startFeed: (after) => this.#startFeed(after),
    });
    this.#intake = new OutboxIntake({
      host,
      send: (message) => this.send(message),
      hello: () => this.hello,
      has: (feature) => this.#has(feature),
      watched: () => host.events.emit.watched(this),
      crowded: (bytes) => host.events.emit.crowded(this, bytes),
    });
    this.#heat = new SessionHeat(host, this);
    this.#proposals = new SessionProposals(host, this);
  }

  /** How the node introduced itself; undefined until it has. */
  get hello(): Hello | undefined {
    return this.#introduction.kind === "node" ? this.#introduction.hello : undefined;
  }

  get id(): string {
    return this.hello?.nodeId ?? "";
  }

  get status(): NodeStatus {
    return this.#report.status;
  }

  get outboxPending(): number {
    return this.#report.outboxPending;
  }

  get lowestTime(): number {
    return this.#report.lowestTime;
  }

  get lagMs(): number {
    return this.#report.lagMs;
  }

  /** How far the node's clock is ahead of this machine's as that is set now; includes the way here. */
  get skewMs(): number {
    const { clock } = this.#host;
    return Math.round(this.#clockOffsetMs + clock.elapsedMs() - clock.nowMs());
  }

  get load(): NodeLoad {
    return this.#report.load;
  }

  /** Whether the node takes what has changed among the members instead of the whole list. */
  get takesChanges(): boolean {
    return this.#has(MEMBERS_CHANGED);
  }

  /** Whether the node has said that it takes frames before they are ordered. */
  get takesEarly(): boolean {
    return this.hello?.features.includes(EARLY) === true;
  }

  /** Whether another directory follows this one's log on the link. */
  get isFollower(): boolean {
    return this.#introduction.kind === "follower";
  }

  get hasGreeted(): boolean {
    return this.#introduction.kind !== "none";
  }

  /** Whether a write that waits for all ready nodes is to wait for this one: it says that it is ready, and applies what it is sent. */
  get ready(): boolean {
    const restMs = this.#applied.restMs(this.#host.clock.elapsedMs());
    return this.status === "ready" && restMs <= this.#host.limits.appliedRestMs;
  }

  get appliedThrough(): number {
    return this.#applied.through;
  }

  /** The last sequence that the node can have: the last one sent on this link, or what it had when the link began. */
  get #sentThrough(): number {
    return Math.max(this.#fedBefore, this.#feed?.sentThrough ?? 0);
  }

  /** Takes `ms` milliseconds off the peer's silence: the directory could not listen. */
  excuse(ms: number): void {
    this.#heardAtMs += ms;
  }

  get silentMs(): number {
    return this.#host.clock.elapsedMs() - this.#heardAtMs;
  }

  /** Whether the node has to reconcile: from the `hello` that shows this until the reconciliation is over. */
  get isReconciling(): boolean {
    return this.#reconciliation.isDue;
  }

  /** When its comparison last got further than ever before, by a clock that never jumps. */
  get comparedFurtherAtMs(): number {
    return this.#reconciliation.comparedFurtherAtMs;
  }

  /** How long its reconciliation has been at rest; 0 where none is due, or where it is not the node that rests. */
  get reconcileRestMs(): number {
    return this.#reconciliation.restMs;
  }

  /** Entries that the node has offered and that wait to be answered. */
  get offeredEntries(): number {
    return this.#reconciliation.offeredEntries;
  }

  get bufferedBytes(): number {
    return this.#link.bufferedBytes;
  }

  /** Sequences that have gone out and were not yet sent to this node. */
  get unsent(): number {
    if (this.#feed === undefined) return 0;
    return Math.max(0, this.#host.sequencer.head - this.#feed.sentThrough);
  }

  onMessage(message: string | Uint8Array): void {
    if (this.#isClosed) return;
    this.#heardAtMs = this.#host.clock.elapsedMs();
    try {
      const bytesMax = this.hasGreeted ? TEXT_BYTES_MAX : GREETING_BYTES_MAX;
      if (typeof message === "string") this.#onText(decodeNodeMessage(message, bytesMax));
      else this.#intake.onFrame(message);
    } catch (error) {
      if (!(error instanceof MeridianError)) throw error;
      this.close(error);
    }
  }

  /** A part of a large message has come. Who has not greeted sends none. */
  onPart(): void {
    if (this.hasGreeted) this.#heardAtMs = this.#host.clock.elapsedMs();
  }

  onDrain(): void {
    if (this.#isClosed) return;
    this.#reconciliation.pump();
    this.#feed?.pump();
  }

  /** Whether this end has closed the link. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** The link is gone: ignores whatever still comes from it. */
  leave(): void {
    this.#reconciliation.keep(this.#sentThrough);
    this.#isClosed = true;
  }

  /** Tells the node that its stamps are refused, if the refusal had to wait until the clocks agree, and waits no longer. */
  decideRefusal(): void {
    this.#intake.decideRefusal();
  }

  /** Ends the link with the error's close code. */
  close(error: MeridianError): void {
    this.#link.close(closeCodeOf(error.code), error.message);
  }

  /** Passes a newly ordered frame on. */
  push(frame: OrderedFrame): void {
    this.#feed?.push(frame);
  }

  /** Tells the node that its outbox is committed through `position`, at the end of this turn: what is committed together is one message. */
  acknowledge(position: number): void {
    const isFirst = this.#committed === undefined;
    this.#committed = Math.max(position, this.#committed ?? 0);
    if (isFirst) this.#host.defer(() => this.#guard(this.#tellCommitted));
  }

  readonly #tellCommitted = (): void => {
    if (this.#committed === undefined) return;
    this.#intake.acknowledge(this.#committed);
    this.#committed = undefined;
  };

  /** Bytes of the node's frames that wait for the disk. */
  get pendingBytes(): number {
    return this.#intake.pendingBytes;
  }

  /** Frames of which the node waits to hear who has applied them. */
  get watchedFrames(): number {
    return this.#intake.watchedFrames;
  }

  /** Proposals of the node that are not decided. */
  get undecided(): number {
    return this.#proposals.undecided;
  }

  /** Whether the node waits to hear who has applied a frame of its. */
  get isWatching(): boolean {
    return this.#intake.isWatching;
  }

  /** Tells the node what is newly known of the frames it waits for, if its link has room; if not, a later call does. */
  updateWatch(appliers: readonly ApplyingNode[], readyElsewhere: readonly string[]): void {
    if (this.hasRoom) this.#intake.updateWatch(appliers, readyElsewhere);
  }

  /** Sends a message that is encoded already. */
  sendText(message: string): void {
    if (!this.#isClosed) this.#link.send(message);
  }

  /** Whether there is room on the link. */
  get hasRoom(): boolean {
    return this.#link.bufferedBytes < this.#host.linkBytesMax();
  }

  /** Sends a message. */
  send(message: DirectoryMessage): void {
    this.#feed?.tell();
    this.#link.send(encodeMessage(message));
    if (message.type === "welcome" || message.type === "echo") this.#intake.onClocksTold();
  }

  #onText(message: NodeMessage): void {
    if (message.type === "hello") return this.#onHello(message);
    if (message.type === "follow") return this.#onFollow(message);
    if (message.type === "probe") return this.#onProbe(message);
    if (!this.hasGreeted) {
      throw new MeridianError(
        "MALFORMED_MESSAGE",
        `Expected \`hello\` first, got \`${message.type}\``,
      );
    }
    if (message.type === "goodbye") {
      return this.close(new MeridianError("GOING_AWAY", "The node has said goodbye"));
    }
    this.#pace.take(message.type, this.#heardAtMs);
    switch (message.type) {
      case "heartbeat":
        return this.#onHeartbeat(message);
      case "applied":
        return this.#onApplied(message.through);
      case "locate":
        return this.#intake.onLocate(message.incarnation, message.position);
      case "reconcile":
      case "compare":
      case "offer":
      case "reconciled":
        return this.#reconciliation.onMessage(message);
      case "heat":
        return this.#heat.onHeat(message.keys);
      case "propose":
      case "barrier":
        return this.#proposals.onMessage(message);
    }
  }

  #onHello(hello: Hello): void {
    this.#checkFirst();
    const mark = checkHello(this.#host, hello, this.remoteAddress);
    const { features } = agree(hello);
    this.#host.events.emit.greeted(this, hello);
    this.#introduction = { kind: "node", hello, features };
    const { status } = hello;
    this.#report = { ...this.#report, status };
    this.#hearClock(hello.nowMs);
    // It is sent once more what is not committed yet.
    this.#fedBefore = homeIn(this.#host.log, hello);
    this.#takeIn(takeInNode(this.#host, hello, mark));
  }

  #onFollow(follow: Follow): void {
    this.#checkFirst();
    checkFollow(this.#host, follow);
    this.#introduction = { kind: "follower", follow, features: agree(follow).features };
    this.#takeIn(takeInFollower(this.#host, follow));
    this.tellRegistry();
  }

  #onProbe({ cluster, ...capabilities }: Capabilities & { readonly cluster: string }): void {
    this.#checkFirst();
    checkCluster(this.#host, cluster);
    this.send(standingOf(this.#host, capabilities));
  }

  #checkFirst(): void {
    if (!this.hasGreeted) return;
    throw new MeridianError("MALFORMED_MESSAGE", "Expected one greeting, got a second");
  }

  #takeIn({ resume, welcome }: TakenIn): void {
    this.send(welcome);
    if (resume.resume === "feed") this.#startFeed(resume.resumeAfter);
    else this.#reconciliation.demand();
  }

  /** Whether the peer is a node with which that feature was agreed on. */
  nodeHas(feature: string): boolean {
    return this.#introduction.kind === "node" && this.#has(feature);
  }

  /** Whether that feature was agreed on. */
  #has(feature: string): boolean {
    return this.#introduction.kind !== "none" && this.#introduction.features.includes(feature);
  }

  #hearClock(wallMs: number): void {
    this.#clockOffsetMs = wallMs - this.#host.clock.elapsedMs();
  }

  /** Tells a follower which nodes have their link with this directory, if there is room; if not, a later call does. */
  tellRegistry(): void {
    if (this.#isClosed || !this.hasRoom) return;
    const { membership, sequencer, horizon } = this.#host;
    const { head } = sequencer;
    const { lowestTime } = horizon;
    const { text, changes } = membership.registryFor(this.#rosterTold, { head, lowestTime });
    this.#rosterTold = changes;
    this.#registryAtMs = this.#host.clock.elapsedMs();
    this.#link.send(text);
  }

  /** Answers a follower's heartbeat with the registry, unless it was sent a moment ago. */
  #remindRegistry(): void {
    const restMs = this.#host.clock.elapsedMs() - this.#registryAtMs;
    if (restMs >= this.#host.limits.announceMs) this.tellRegistry();
  }

  #startFeed(after: number): void {
    const host = this.#host;
    const { log, sequencer, rules } = host;
    this.#fedBefore = this.#sentThrough;
    // Frames with the follower's own epoch came from the follower, which need not get them back.
    const isFedAll = rules.takenBackIsFound && this.nodeHas(OWN_FRAMES);
    const incarnation = isFedAll ? 0 : outboxOf(this.#introduction);
    const start = { after, incarnation, takesTraces: this.#has(TRACES) };
    if (this.#feedElsewhere !== undefined) {
      this.#feed = new FeedElsewhere(sequencer, start, this.#feedElsewhere);
      return;
    }
    const feed: Feed = new Feed({
      ...start,
      link: this.#link,
      log,
      sequencer,
      // A node is told soon that its frames are committed; a follower is not told so.
      tellsLater: this.#introduction.kind === "node",
      linkBytesMax: host.linkBytesMax,
      rules,
      nowMs: () => host.clock.nowMs(),
      // A later one takes its place.
      later: (callback) => this.later(() => this.#feed === feed && callback()),
    });
    this.#feed = feed;
    feed.pump();
  }

  /** Runs `callback` in a later turn, unless the link is gone by then. An error that it throws ends the link, as with a message. */
  later(callback: () => void): void {
    this.#host.turns.later(() => this.#guard(callback));
  }

  #guard(callback: () => void): void {
    try {
      if (!this.#isClosed) callback();
    } catch (error) {
      this.close(asMeridianError(error));
    }
  }

  #onHeartbeat(message: Extract<NodeMessage, { type: "heartbeat" }>): void {
    checkApplied("appliedThrough", message.appliedThrough, this.#sentThrough);
    const { sequencer, horizon, log } = this.#host;
    const nowMs = this.#host.clock.nowMs();
    const statusChanged = message.status !== this.status;
    this.#report = reportOf(message);
    this.#hearClock(message.nowMs);
    if (this.hello !== undefined) this.#host.clocks.hear(this.id, message.nowMs);
    this.#applied.report(message.appliedThrough, this.#sentThrough, this.#heardAtMs);
    this.send({
      type: "echo",
      nowMs,
      echoMs: message.nowMs,
      head: sequencer.head,
      committedThrough: sequencer.committedThrough,
      followed: [...log.followed],
      horizon: horizon.horizon,
      horizonAt: horizon.at,
      holdBack: log.stall !== undefined,
      clock: this.#host.clocks.word,
    });
    this.onDrain();
    if (this.isFollower) this.#remindRegistry();
    else this.#host.events.emit.progressed(this, statusChanged);
    this.#heat.tell();
  }

  #onApplied(through: number): void {
    checkApplied("through", through, this.#sentThrough);
    this.#applied.report(through, this.#sentThrough, this.#heardAtMs);
    this.#host.events.emit.progressed(this, false);
  }
}
