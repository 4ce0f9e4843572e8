/** The directory's side of one link: what one node says, and what it is told. */
import type { DirectoryLog, Link } from "@meridian/ports";
import {
  agree,
  blockOf,
  checkBlock,
  closeCodeOf,
  decodeNodeMessage,
  encodeMessage,
  MEMBERS_CHANGED,
  FRAME_KIND,
  MeridianError,
  readFrameHeader,
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

import type { DirectoryHorizon } from "../horizon/directory-horizon.ts";
import type { DirectoryLimits } from "../limits.ts";
import type { OrderedFrame } from "../order/recent-frames.ts";
import type { Sequencer } from "../order/sequencer.ts";
import { ReconcileResponder } from "../reconcile/reconcile-responder.ts";
import { AppliedWatch, type Applier } from "./applied-watch.ts";
import type { DirectoryClocks } from "./directory-clocks.ts";
import { standingOf, welcomeOf } from "./answers.ts";
import { Feed } from "./feed.ts";
import type { Membership } from "./membership.ts";
import type { Reconciling } from "./reconcile-turns.ts";
import { resumeOfFollower, resumeOfNode, type Resume } from "./resume.ts";
import { StampRefusal } from "./stamp-refusal.ts";

/** What a session needs of the directory it is part of. */
export interface SessionHost {
  readonly cluster: string;
  readonly log: DirectoryLog;
  readonly sequencer: Sequencer;
  readonly horizon: DirectoryHorizon;
  readonly limits: DirectoryLimits;
  readonly clocks: DirectoryClocks;
  /** This machine's own time. */
  nowMs(): number;
  elapsedMs(): number;
  /** Whether the directory is catching up with others, and takes no nodes in. */
  readonly isSyncing: boolean;
  /** The nodes that have their link with this directory, and those that it remembers. */
  readonly membership: Pick<Membership, "registry" | "rememberedSince">;
  /** Whether a position of an outbox has come by way of another directory. */
  hasFollowed(incarnation: number, position: number): boolean;
  /** Takes a node in, or throws why not. */
  onHello(session: DirectorySession, hello: Hello): void;
  /** The session's status or what it has applied has changed. */
  onProgress(session: DirectorySession, statusChanged: boolean): void;
  /** The node asks for its turn to reconcile; `begin` is called when it comes. */
  onReconcile(session: DirectorySession, begin: (head: number) => void): void;
  onReconciled(session: DirectorySession): void;
}

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
  #responder: ReconcileResponder | undefined;
  #watch: AppliedWatch;
  /** The frame that was refused for its stamps. */
  readonly refusal: StampRefusal;
  #heardAtMs: number;
  /** When the node last went on with its reconciliation. */
  #reconciledAtMs = 0;
  /** See `Reconciling`. */
  comparedFurtherAtMs = 0;
  closed = false;
  /** Whether the node takes what has changed among the members instead of the whole list. */
  takesChanges = false;
  /** Through which change of what is remembered this follower has been told. */
  #rosterTold = 0;

  status: NodeStatus = "joining";
  appliedThrough = 0;
  outboxPending = 0;
  lowestTime = 0;
  /** From the hello that shows the need until it is done. */
  isReconciling = false;
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

  get ready(): boolean {
    return this.status === "ready";
  }

  /** Does not count `ms` of silence: the directory could not listen. */
  excuse(ms: number): void {
    this.#heardAtMs += ms;
  }

  get silentMs(): number {
    return this.#host.elapsedMs() - this.#heardAtMs;
  }

  /** How long a reconciliation has been at rest that has begun; 0 where none has, or where the node is slow to take answers. */
  get reconcileRestMs(): number {
    if (this.#responder === undefined || this.#responder.isAnswering) return 0;
    return this.#host.elapsedMs() - this.#reconciledAtMs;
  }

  /** Entries that the node has offered and that wait to be answered. */
  get offeredEntries(): number {
    return this.#responder?.offeredEntries ?? 0;
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
      if (typeof message === "string") this.#onText(decodeNodeMessage(message));
      else this.#onFrame(message);
    } catch (error) {
      if (!(error instanceof MeridianError)) throw error;
      this.close(error);
    }
  }

  onDrain(): void {
    if (this.closed) return;
    this.#responder?.pump();
    this.#feed?.pump();
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
        this.isReconciling = true;
        return this.#host.onReconcile(this, (head) => this.#beginReconcile(head));
      case "compare":
        this.#reconciledAtMs = this.#heardAtMs;
        if (this.#responder?.compare(message)) this.comparedFurtherAtMs = this.#heardAtMs;
        return;
      case "offer":
        this.#reconciledAtMs = this.#heardAtMs;
        return this.#responder?.offer(message);
      case "reconciled":
        this.#responder = undefined;
        if (this.isReconciling) this.#host.horizon.reach(this.#hello?.horizon ?? 0);
        this.isReconciling = false;
        return this.#host.onReconciled(this);
      case "goodbye":
        return this.close(new MeridianError("GOING_AWAY", "The node has said goodbye"));
    }
  }

  #onHello(hello: Hello): void {
    const { sequencer, log, horizon } = this.#host;
    this.#checkGreeting(hello.cluster);
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
    this.isReconciling = resume.resume === "reconcile";
    sequencer.expectAfter(hello.incarnation, hello.outboxAcknowledged);
    sequencer.observe(hello.admittedTime);
    const agreement = agree(hello);
    this.takesChanges = agreement.features.includes(MEMBERS_CHANGED);
    this.#welcome(agreement, resume, mark);
  }

  #onFollow(follow: Follow): void {
    const { log } = this.#host;
    this.#checkGreeting(follow.cluster);
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
  }

  /** Tells a follower which nodes have their link with this directory, if there is room; if not, a later call does. */
  tellRegistry(): void {
    if (this.closed || !this.hasRoom) return;
    const { membership, sequencer, horizon } = this.#host;
    const { lowestTime } = horizon;
    const { changes, members: remembered } = membership.rememberedSince(this.#rosterTold);
    this.#rosterTold = changes;
    this.#send({
      type: "registry",
      nowMs: this.#host.nowMs(),
      head: sequencer.head,
      lowestTime,
      members: membership.registry,
      ...(remembered.length > 0 && { remembered: [...remembered] }),
    });
  }

  #startFeed(after: number): void {
    const { log, sequencer, limits } = this.#host;
    this.#feed = new Feed({
      link: this.#link,
      log,
      sequencer,
      // What a follower has had from here is marked with its epoch: it has that.
      incarnation: this.#hello?.incarnation ?? this.#follow?.epoch ?? 0,
      after,
      linkBytesMax: limits.linkBytesMax,
      nowMs: () => this.#host.nowMs(),
    });
    this.#feed.pump();
  }

  /** The node's turn has come: what is through `head` is compared, and it gets everything after that as it comes. */
  #beginReconcile(head: number): void {
    const { log, limits } = this.#host;
    const { horizon } = this.#host.horizon;
    const nowMs = (): number => this.#host.nowMs();
    this.#reconciledAtMs = this.#host.elapsedMs();
    const under = Math.max(horizon, this.#hello?.horizon ?? 0);
    // What is wanted of a node it sends, to be buried then; a directory sends nothing.
    const buriesUnder = this.isFollower ? horizon : 0;
    const options = { log, link: this.#link, limits, horizon: under, buriesUnder, nowMs };
    this.#responder = new ReconcileResponder(options);
    this.#send({ type: "reconcile-begin", nowMs: nowMs(), head, horizon });
    this.#startFeed(head);
  }

  #onHeartbeat(message: Extract<NodeMessage, { type: "heartbeat" }>): void {
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
    this.#onAppliedThrough(message.appliedThrough);
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
    if (this.isFollower) this.tellRegistry();
    else this.#host.onProgress(this, statusChanged);
  }

  #onApplied(through: number): void {
    this.#onAppliedThrough(through);
    this.#host.onProgress(this, false);
  }

  #onAppliedThrough(through: number): void {
    const known = Math.min(through, this.#host.sequencer.head);
    this.appliedThrough = Math.max(this.appliedThrough, known);
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
    if (reportApplied && mark.position >= position) this.#watch.add(mark.sequence, position);
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
    if (!header.reportApplied) return;
    this.#watch.add(sequencer.head, header.position);
    this.#host.onProgress(this, false);
  }
}
