import type { Dial } from "@meridian/ports";
import type { RegisteredMember } from "@meridian/protocol";
import type { Random } from "@meridian/runtime";

import type { DirectoryContext } from "../directory/directory-context.ts";
import type { HorizonMember } from "../horizon/directory-horizon.ts";
import type { ReplicaLimits } from "../limits.ts";
import type { OrderedFrame } from "../order/recent-frames.ts";
import { FollowedEntries } from "./followed-entries.ts";
import { Follower, type FollowerParts, type PeerInfo } from "./follower.ts";

/** Which directories a directory follows. */
export interface FollowOptions {
  readonly random: Random;
  readonly peers: readonly {
    /** Names it for people: its URL. */
    readonly name: string;
    readonly dial: Dial;
  }[];
  readonly limits?: Partial<ReplicaLimits>;
}

/** The parts of a directory that its followers work with. */
type FollowingParts = Omit<FollowerParts, "news">;

/** An address at which nothing listens for this long has no directory to wait for. In milliseconds. */
const ALONE_MS = 400;

/** A node that has its link with another directory. */
export interface RemoteMember extends RegisteredMember {
  /** The name of that directory. */
  readonly peer: string;
}

/**
 * The other directories that this one follows.
 *
 * A directory that starts is syncing until it has caught up with each of them that it has reached within the time to join: until then it may lack
 * what nodes have been told is safe. It does not wait for directories where nothing listens. Directories follow each other even while they are
 * syncing, so two that start at the same time do not wait for each other.
 */
export class Peers {
  readonly #context: DirectoryContext;
  #followers: readonly Follower[] = [];
  readonly #news: FollowedEntries;
  /** Those to catch up with before the directory takes nodes in. */
  #awaited: Set<Follower> = new Set();
  #hasAsked = false;
  #hasJoined = false;

  constructor(context: DirectoryContext) {
    this.#context = context;
    this.#news = new FollowedEntries(context.log, context.limits.followedEntriesMax);
  }

  /** Makes the followers; before that, there are no other directories. */
  follow({ peers, random, limits }: FollowOptions, parts: FollowingParts): void {
    const shared = { ...parts, news: this.#news };
    this.#followers = peers.map(
      (peer) => new Follower(this.#context, { ...peer, random, limits }, shared),
    );
    this.#awaited = new Set(this.#followers);
  }

  /** Their names for people: their URLs. */
  get names(): readonly string[] {
    return this.#followers.map(({ name }) => name);
  }

  get isSyncing(): boolean {
    return this.#awaited.size > 0;
  }

  get info(): readonly PeerInfo[] {
    return this.#followers.map(({ info }) => info);
  }

  /** Those that are connected, as the horizon is to know them. */
  get horizonMembers(): readonly HorizonMember[] {
    return this.#followers.filter(({ isUp }) => isUp);
  }

  /** The nodes that have their link with one of them, each once. */
  get members(): readonly RemoteMember[] {
    const members = new Map<string, RemoteMember>();
    for (const { name: peer, members: told } of this.#followers) {
      for (const member of told) {
        if (!members.has(member.id)) members.set(member.id, { ...member, peer });
      }
    }
    return [...members.values()];
  }

  /** Starts following, once the log knows everything that is in it. */
  start(): void {
    if (this.#followers.length === 0) return;
    const { log, deadlines, limits } = this.#context;
    const { joinMs } = limits;
    log.settle((failure) => {
      if (failure !== undefined) return;
      for (const follower of this.#followers) follower.start();
      deadlines.after(Math.min(ALONE_MS, joinMs), () => {
        this.#hasAsked = true;
        this.update();
      });
      deadlines.after(joinMs, () => {
        this.#hasJoined = true;
        this.update();
      });
    });
  }

  stop(): void {
    for (const follower of this.#followers) follower.stop();
  }

  /** A frame has been ordered in this directory's log. */
  onOrdered(frame: OrderedFrame): void {
    if (this.#followers.length > 0) this.#news.onOrdered(frame);
  }

  /** A frame of a node is durable. */
  onDurable(): void {
    if (this.#followers.length > 0) this.#news.onDurable();
  }

  /** Forgets stamps of followed entries that the log's table has by now. */
  forgetNews(): void {
    if (this.#followers.length > 0) this.#news.forget();
  }

  /** Takes `ms` milliseconds off every peer's silence: this directory could not listen. */
  excuse(ms: number): void {
    for (const follower of this.#followers) follower.excuse(ms);
  }

  /** Forgets the nodes of those that have fallen silent. */
  watchLeases(): void {
    for (const follower of this.#followers) follower.watchLease();
  }

  /** Whether that position of an outbox has come from one of them. */
  has(incarnation: number, position: number): boolean {
    return this.#followers.some((follower) => follower.positionOf(incarnation) >= position);
  }

  /** Ends the directory's syncing if every follower has caught up or need not be waited for. */
  update(): void {
    if (!this.isSyncing) return;
    for (const follower of this.#awaited) {
      const isAway = this.#hasJoined ? !follower.isUp : this.#hasAsked && follower.isAlone;
      if (follower.hasCaughtUp || isAway) {
        this.#awaited.delete(follower);
      }
    }
    if (!this.isSyncing) this.#context.events.emit.synced();
  }
}
