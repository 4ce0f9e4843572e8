/** The directory's side of one link: what one node says, and what it is told. */
import type { Link } from "@meridian/ports";
import {
  agree,
  asMeridianError,
  blockOf,
  checkBlock,
  closeCodeOf,
  decodeNodeMessage,
  encodeMessage,
  MEMBERS_CHANGED,
  FRAME_KIND,
  GREETING_BYTES_MAX,
  MeridianError,
  readFrameHeader,
  TEXT_BYTES_MAX,
  type Agreement,
  type Capabilities,
  type DirectoryMessage,
  type Follow,
  type FrameHeader,
  type Hello,
  type NodeLoad,
  type NodeMessage,
  type NodeStatus,
  type OutboxMark,
} from "@meridian/protocol";

import type { OrderedFrame } from "../order/recent-frames.ts";
import { AppliedWatch, type Applier } from "./applied-watch.ts";
import { standingOf, welcomeOf } from "./answers.ts";
import { AppliedProgress } from "./applied-progress.ts";
import { checkApplied, checkCursors, checkPlaces, checkReachable, type OwnLog } from "./claims.ts";
import { Feed } from "./feed.ts";
import type { Reconciling } from "./reconcile-turns.ts";
import { resumeOfFollower, resumeOfNode, type Resume } from "./resume.ts";
import type { SessionHost } from "./session-host.ts";
import { SessionReconciliation } from "./session-reconciliation.ts";
import { StampRefusal } from "./stamp-refusal.ts";

const NO_LOAD: NodeLoad = { entries: 0, bytes: 0, requestsPerSecond: 0 };

export class DirectorySession implements Applier, Reconciling {
  readonly #host: SessionHost;
  readonly #link: Link;
  readonly remoteAddress: string;
  readonly connectedAtMs: number;
  #hello: Hello | undefined;
  /** How another directory introduced itself, which follows this one's log. */
  #follow: Follow | undefined;
  #feed: Feed | undefined;
  readonly #reconciliation: SessionReconciliation;
  #watch: AppliedWatch;
  /** The frame that was refused for its stamps. */
  readonly refusal: StampRefusal;
  #heardAtMs: number;
  closed = false;
  /** Whether the node takes what has changed among the members instead of the whole list. */
  takesChanges = false;
  /** Through which change of what is remembered this follower has been told. */
  #rosterTold = 0;
  /** When it was last told the registry. */
  #registryAtMs = -Infinity;

  status: NodeStatus = "joining";
  readonly #applied: AppliedProgress;
  /** The last sequence that an earlier feed of this link had sent. */
  #fedBefore = 0;
  outboxPending = 0;
  lowestTime = 0;
  lagMs = 0;
  skewMs = 0;
  load: NodeLoad = NO_LOAD;

  constructor(host: SessionHost, link: Link, remoteAddress: string) {
    this.#host = host;
    this.#link = link;
    this.remoteAddress = remoteAddress;
    this.connectedAtMs = host.nowMs();
    this.#heardAtMs = host.elapsedMs();
    this.refusal = new StampRefusal(host, (message) => this.#send(message));
    this.#applied = new AppliedProgress(this.#heardAtMs);
    this.#reconciliation = new SessionReconciliation({
      host,
      link,
      session: this,
      startFeed: (after) => this.#startFeed(after),
    });
    this.#watch = new AppliedWatch(host.limits.watchedMax, (position, nodes, ready) => {
      this.#send({ type: "applied-by", nowMs: host.nowMs(), position, nodes, ready });
    });
  }

  /** How the node introduced itself; undefined until it has. */
  get hello(): Hello | undefined {
    return this.#hello;
  }

  get id(): string {
    return this.#hello?.nodeId ?? "";
  }

  /** Whether another directory follows this one's log on the link. */
  get isFollower(): boolean {
    return this.#follow !== undefined;
  }

  get hasGreeted(): boolean {
    return this.#hello !== undefined || this.#follow !== undefined;
  }

  /** Whether a write that waits for all ready nodes is to wait for this one: it says that it is ready, and applies what it is sent. */
  get ready(): boolean {
    const restMs = this.#applied.restMs(this.#sentThrough, this.#host.elapsedMs());
    return this.status === "ready" && restMs <= this.#host.limits.appliedRestMs;
  }

  get appliedThrough(): number {
    return this.#applied.through;
  }

  /** The last sequence that the node can have: it was sent on this link, or lies before the place where it went on. */
  get #sentThrough(): number {
    return Math.max(this.#fedBefore, this.#feed?.sentThrough ?? 0);
  }

  /** Does not count `ms` of silence: the directory could not listen. */
  excuse(ms: number): void {
    this.#heardAtMs += ms;
  }

  get silentMs(): number {
    return this.#host.elapsedMs() - this.#heardAtMs;
  }

  /** From the hello that shows the need until it is done. */
  get isReconciling(): boolean {
    return this.#reconciliation.isDue;
  }

  /** See `Reconciling`. */
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

  /** Sequences that have been ordered and not yet sent to this node. */
  get unsent(): number {
    return this.#feed === undefined ? 0 : this.#host.sequencer.head - this.#feed.sentThrough;
  }

  onMessage(message: string | Uint8Array): void {
    if (this.closed) return;
    this.#heardAtMs = this.#host.elapsedMs();
    try {
      const bytesMax = this.hasGreeted ? TEXT_BYTES_MAX : GREETING_BYTES_MAX;
      if (typeof message === "string") this.#onText(decodeNodeMessage(message, bytesMax));
      else this.#onFrame(message);
    } catch (error) {
      if (!(error instanceof MeridianError)) throw error;
      this.close(error);
    }
  }

  onDrain(): void {
    if (this.closed) return;
    this.#reconciliation.pump();
    this.#feed?.pump();
  }

  /** The link is gone. */
  leave(): void {
    this.#reconciliation.keep(this.#sentThrough);
    this.closed = true;
  }

  /** Ends the link with the error's close code. */
  close(error: MeridianError): void {
    this.#link.close(closeCodeOf(error.code), error.message);
  }

  /** Passes a newly ordered frame on. */
  push(frame: OrderedFrame): void {
    this.#feed?.push(frame);
  }

  /** Tells the node that its outbox is committed through `position`. */
  acknowledge(position: number): void {
    const { committedThrough } = this.#host.sequencer;
    const said = { outboxThrough: position, committedThrough };
    this.#send({ type: "acknowledge", nowMs: this.#host.nowMs(), ...said });
  }

  /** Frames of which the node waits to hear who has applied them. */
  get watchedFrames(): number {
    return this.#watch.size;
  }

  /** Whether the node waits to hear who has applied a frame of its. */
  get isWatching(): boolean {
    return this.#watch.isWatching;
  }

  /** Tells the node what is newly known of the frames it waits for, if its link has room; if not, a later call does. */
  updateWatch(appliers: readonly Applier[], readyElsewhere: readonly string[]): void {
    if (this.hasRoom) this.#watch.update(appliers, readyElsewhere);
  }

  /** Sends a message that is encoded already. */
  sendText(message: string): void {
    if (!this.closed) this.#link.send(message);
  }

  /** Whether there is room on the link. */
  get hasRoom(): boolean {
    return this.#link.bufferedBytes < this.#host.limits.linkBytesMax;
  }

  #send(message: DirectoryMessage): void {
    this.#link.send(encodeMessage(message));
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
    switch (message.type) {
      case "heartbeat":
        return this.#onHeartbeat(message);
      case "applied":
        return this.#onApplied(message.through);
      case "locate":
        return this.#onLocate(message.incarnation, message.position);
      case "reconcile":
      case "compare":
      case "offer":
      case "reconciled":
        return this.#reconciliation.onMessage(message);
      case "goodbye":
        return this.close(new MeridianError("GOING_AWAY", "The node has said goodbye"));
    }
  }

  get #ownLog(): OwnLog {
    const { logId, epoch } = this.#host.log;
    const { head, committedThrough } = this.#host.sequencer;
    return { logId, epoch, head, committedThrough };
  }

  #onHello(hello: Hello): void {
    const { sequencer, log, horizon } = this.#host;
    this.#checkGreeting(hello.cluster);
    checkPlaces(hello, this.#ownLog);
    checkReachable(hello, this.remoteAddress);
    if (this.#host.isSyncing) {
      throw new MeridianError("DIRECTORY_SYNCING", "The directory is catching up with the others");
    }
    const mark = sequencer.mark(hello.incarnation);
    if (mark !== undefined && hello.outboxThrough < mark.position) {
      throw new MeridianError(
        "INCARNATION_REUSED",
        `Expected an outbox that has reached position ${mark.position}, got one at ${hello.outboxThrough}`,
      );
    }
    sequencer.checkClaim(hello.admittedTime);
    this.#host.onHello(this, hello);
    this.#hello = hello;
    this.status = hello.status;
    this.skewMs = Math.round(hello.nowMs - this.#host.nowMs());
    const { isLoss, ...resume } = resumeOfNode(
      log,
      sequencer.head,
      mark?.position,
      horizon.horizon,
      hello,
    );
    if (isLoss) horizon.freeze();
    sequencer.expectAfter(hello.incarnation, hello.outboxAcknowledged);
    sequencer.observe(hello.admittedTime);
    const agreement = agree(hello);
    this.takesChanges = agreement.features.includes(MEMBERS_CHANGED);
    this.#welcome(agreement, resume, mark);
  }

  #onFollow(follow: Follow): void {
    const { log } = this.#host;
    this.#checkGreeting(follow.cluster);
    checkCursors(follow, this.#ownLog);
    if (follow.logId === log.logId) {
      const said =
        follow.epoch === log.epoch
          ? "Expected another directory, got this one: leave its own URL out of --peer"
          : "Expected a directory with a log of its own, got a copy of this one's: start it on an empty folder";
      throw new MeridianError("SAME_LOG", said);
    }
    this.#follow = follow;
    const resume = resumeOfFollower(log, follow.cursors, follow.head === 0);
    this.#welcome(agree(follow), resume, undefined);
    this.tellRegistry();
  }

  #onProbe({ cluster, ...capabilities }: Capabilities & { readonly cluster: string }): void {
    this.#checkGreeting(cluster);
    this.#send(standingOf(this.#host, capabilities));
  }

  #checkGreeting(cluster: string): void {
    if (this.hasGreeted) {
      throw new MeridianError("MALFORMED_MESSAGE", "Expected one greeting, got a second");
    }
    if (cluster === this.#host.cluster) return;
    throw new MeridianError(
      "WRONG_CLUSTER",
      `Expected a node of cluster \`${this.#host.cluster}\`, got one of \`${cluster}\``,
    );
  }

  #welcome(agreement: Agreement, resume: Resume, mark: OutboxMark | undefined): void {
    this.#send(welcomeOf(this.#host, agreement, resume, mark));
    if (resume.resume === "feed") this.#startFeed(resume.resumeAfter);
    else this.#reconciliation.demand();
  }

  /** Tells a follower which nodes have their link with this directory, if there is room; if not, a later call does. */
  tellRegistry(): void {
    if (this.closed || !this.hasRoom) return;
    const { membership, sequencer, horizon } = this.#host;
    const { head } = sequencer;
    const { lowestTime } = horizon;
    const { text, changes } = membership.registryFor(this.#rosterTold, { head, lowestTime });
    this.#rosterTold = changes;
    this.#registryAtMs = this.#host.elapsedMs();
    this.#link.send(text);
  }

  /** A follower asks, by its heartbeats, what it was told last a moment ago at most. */
  #remindRegistry(): void {
    const restMs = this.#host.elapsedMs() - this.#registryAtMs;
    if (restMs >= this.#host.limits.announceMs) this.tellRegistry();
  }

  #startFeed(after: number): void {
    const { log, sequencer, limits } = this.#host;
    this.#fedBefore = this.#sentThrough;
    const feed: Feed = new Feed({
      link: this.#link,
      log,
      sequencer,
      // What a follower has had from here is marked with its epoch: it has that.
      incarnation: this.#hello?.incarnation ?? this.#follow?.epoch ?? 0,
      after,
      linkBytesMax: limits.linkBytesMax,
      nowMs: () => this.#host.nowMs(),
      // A later one takes its place.
      later: (callback) => this.later(() => this.#feed === feed && callback()),
    });
    this.#feed = feed;
    feed.pump();
  }

  /** Runs `callback` once other work has had its turn, unless the link is gone. What it throws ends the link, as with a message. */
  later(callback: () => void): void {
    this.#host.later(() => {
      if (this.closed) return;
      try {
        callback();
      } catch (error) {
        this.close(asMeridianError(error));
      }
    });
  }

  #onHeartbeat(message: Extract<NodeMessage, { type: "heartbeat" }>): void {
    checkApplied("appliedThrough", message.appliedThrough, this.#host.sequencer.head);
    const { sequencer, horizon, log } = this.#host;
    const nowMs = this.#host.nowMs();
    const statusChanged = message.status !== this.status;
    this.status = message.status;
    this.outboxPending = message.outboxPending;
    this.lowestTime = message.lowestTime;
    this.lagMs = message.lagMs;
    this.load = message.load;
    this.skewMs = Math.round(message.nowMs - nowMs);
    if (this.#hello !== undefined) this.#host.clocks.hear(this.id, message.nowMs);
    this.#applied.report(message.appliedThrough, this.#sentThrough, this.#heardAtMs);
    this.#send({
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
    else this.#host.onProgress(this, statusChanged);
  }

  #onApplied(through: number): void {
    checkApplied("through", through, this.#host.sequencer.head);
    this.#applied.report(through, this.#sentThrough, this.#heardAtMs);
    this.#host.onProgress(this, false);
  }

  #onLocate(incarnation: number, position: number): void {
    const mark = this.#host.sequencer.mark(incarnation);
    let sequence = mark !== undefined && mark.position >= position ? mark.sequence : null;
    // Where exactly it stands here nobody knows, but it is not after the head.
    if (sequence === null && this.#host.hasFollowed(incarnation, position)) {
      sequence = this.#host.sequencer.head;
    }
    this.#send({ type: "located", nowMs: this.#host.nowMs(), incarnation, position, sequence });
  }

  #onDuplicate({ incarnation, position, highestTime, reportApplied }: FrameHeader): void {
    const mark = this.#host.sequencer.mark(incarnation);
    if (mark === undefined) return;
    if (mark.position === position && mark.highestTime !== highestTime) {
      throw new MeridianError(
        "INCARNATION_REUSED",
        `Expected the frame that is known at position ${position}, got another`,
      );
    }
    if (reportApplied && mark.position >= position) this.#watchFrame(mark.sequence, position);
    this.acknowledge(mark.position);
  }

  #onFrame(bytes: Uint8Array): void {
    const header = readFrameHeader(bytes);
    if (this.#hello === undefined || header.kind !== FRAME_KIND.entries || header.count === 0) {
      throw new MeridianError("MALFORMED_MESSAGE", "Expected a frame of entries after `hello`");
    }
    if (header.incarnation !== this.#hello.incarnation || header.position === 0) {
      throw new MeridianError("MALFORMED_MESSAGE", "Expected a frame of the node's own outbox");
    }
    if (this.refusal.passesOver(header.position)) return;
    const { sequencer, horizon, limits } = this.#host;
    // Before its stamps are judged: a node whose frame is refused counts on those before it.
    if (!sequencer.isNext(header)) return this.#onDuplicate(header);
    if (this.refusal.refuses(header)) return;
    const lowestTime = checkBlock(blockOf(bytes), header.count, header.highestTime);
    sequencer.checkRoom(bytes.byteLength, limits.commitBytesMax);
    sequencer.order(bytes, header, lowestTime, horizon.horizon, this.#host.nowMs());
    if (header.reportApplied) this.#watchFrame(sequencer.head, header.position);
  }

  #watchFrame(through: number, position: number): void {
    this.#watch.add(through, position);
    this.#host.onWatch(this);
  }
}
