import type { Dial } from "@meridian/ports";
import type { RegisteredMember, RememberedMember } from "@meridian/protocol";
import type { Deadlines, Logger, Random } from "@meridian/runtime";

import type { HorizonMember } from "../horizon/directory-horizon.ts";
import type { ReplicaLimits } from "../limits.ts";
import type { OrderedFrame } from "../order/recent-frames.ts";
import { FollowedEntries } from "./followed-entries.ts";
import { Follower, type FollowerOptions, type PeerInfo } from "./follower.ts";

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

/** What the peers need. */
export interface PeersOptions extends Pick<
  FollowerOptions,
  "cluster" | "log" | "sequencer" | "clock" | "leaseMs" | "horizon"
> {
  readonly follow: FollowOptions | undefined;
  readonly deadlines: Deadlines;
  readonly logger: Logger;
  /** How long a starting directory waits to hear from each of them. */
  readonly joinMs: number;
  /** What is known of their nodes may have changed. */
  onMembers(): void;
  /** The clock of one of them, or of one of their nodes, shows `wallMs`. */
  onClock(id: string, wallMs: number): void;
  /** One of them has told what it remembers of nodes. */
  onRemembered(members: readonly RememberedMember[]): void;
  /** The directory has caught up, as far as it could be asked to. */
  onSynced(): void;
}

/** Where nothing listens after so long, no directory runs that is to be waited for, in milliseconds. */
const ALONE_MS = 400;

/** A node that has its link with another directory. */
export interface RemoteMember extends RegisteredMember {
  /** The name of that directory. */
  readonly peer: string;
}

/**
 * The other directories that this one follows.
 *
 * A directory that starts is syncing until it has caught up with each of them that it has reached within the time to
 * join: until then it may lack what nodes have been told is safe. Those where nothing listens are not waited for. They follow each other regardless of that, so two that
 * start at once do not wait for each other.
 */
export class Peers {
  readonly #options: PeersOptions;
  readonly #followers: readonly Follower[];
  readonly #news: FollowedEntries;
  /** Those to catch up with before the directory takes nodes in. */
  readonly #awaited: Set<Follower>;
  #hasAsked = false;
  #hasJoined = false;

  constructor(options: PeersOptions) {
    this.#options = options;
    this.#news = new FollowedEntries(options.log);
    this.#followers = options.follow === undefined ? [] : this.#makeFollowers(options.follow);
    this.#awaited = new Set(this.#followers);
  }

  #makeFollowers({ peers, random, limits = {} }: FollowOptions): Follower[] {
    const { cluster, log, sequencer, horizon, clock, leaseMs, deadlines, logger } = this.#options;
    const machines = { log, sequencer, horizon };
    const parts = { cluster, ...machines, clock, leaseMs, deadlines, logger, random, limits };
    const news = this.#news;
    const onMembers = (): void => this.#options.onMembers();
    const onClock = (id: string, wallMs: number): void => this.#options.onClock(id, wallMs);
    const onChange = (): void => this.#update();
    const onRemembered: FollowerOptions["onRemembered"] = (members) =>
      this.#options.onRemembered(members);
    const events = { onMembers, onClock, onRemembered, onChange };
    return peers.map((peer) => new Follower({ ...parts, ...peer, news, ...events }));
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
    const { log, deadlines, joinMs } = this.#options;
    log.settle((failure) => {
      if (failure !== undefined) return;
      for (const follower of this.#followers) follower.start();
      deadlines.after(Math.min(ALONE_MS, joinMs), () => {
        this.#hasAsked = true;
        this.#update();
      });
      deadlines.after(joinMs, () => {
        this.#hasJoined = true;
        this.#update();
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

  /** Forgets of what came from them what the log knows by itself. */
  forgetNews(): void {
    if (this.#followers.length > 0) this.#news.forget();
  }

  /** Forgets the nodes of those that have fallen silent. */
  watchLeases(): void {
    for (const follower of this.#followers) follower.watchLease();
  }

  /** Whether that position of an outbox has come from one of them. */
  has(incarnation: number, position: number): boolean {
    return this.#followers.some((follower) => follower.positionOf(incarnation) >= position);
  }

  #update(): void {
    if (!this.isSyncing) return;
    for (const follower of this.#awaited) {
      const isAway = this.#hasJoined ? !follower.isUp : this.#hasAsked && follower.isAlone;
      if (follower.hasCaughtUp || isAway) {
        this.#awaited.delete(follower);
      }
    }
    if (!this.isSyncing) this.#options.onSynced();
  }
}
