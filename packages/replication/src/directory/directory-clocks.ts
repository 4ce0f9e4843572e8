import type { ClockWord } from "@meridian/protocol";

import type { Peers } from "../follow/peers.ts";
import type { ClockVote } from "../time/clock-vote.ts";
import { ClusterClock } from "../time/cluster-clock.ts";
import { MemberClocks } from "../time/member-clocks.ts";
import type { CeilingTime } from "../time/stamp-ceiling.ts";
import type { DirectoryContext } from "./directory-context.ts";
import type { Membership } from "./membership.ts";
import { describeClocks, sayClocks, type ClocksInfo } from "./clocks-info.ts";

/** The name of this directory among the members whose clocks are compared. No node can have this id. */
const THIS_DIRECTORY = "this directory";

/** Finds the cluster's time for a directory: it hears all clocks, takes the time on which most agree, and tells the nodes. */
export class DirectoryClocks {
  readonly #context: DirectoryContext;
  readonly #members: MemberClocks;
  /** The cluster's time. */
  readonly time: ClusterClock;
  #info: ClocksInfo;

  /** The members are the other directories, and the nodes that count. */
  constructor(context: DirectoryContext, peers: Peers, membership: Membership) {
    const { clock, limits, rules } = context;
    this.#context = context;
    this.time = new ClusterClock(clock, rules);
    this.time.maxDriftMs = limits.maxClockDriftMs;
    this.#members = new MemberClocks({
      clock,
      own: THIS_DIRECTORY,
      withinMs: limits.maxClockDriftMs,
      counted: () => [...peers.names, ...membership.counted],
      votes: (id) => peers.names.includes(id) || membership.votes(id),
    });
    const unheard = { offsetMs: undefined, agreeing: 0, members: 1, others: [] };
    this.#info = describeClocks(unheard, this.#ownOffsetMs);
  }

  /** Cluster time, in milliseconds since the Unix epoch. */
  nowMs(): number {
    return this.time.nowMs();
  }

  /** Cluster time as a majority of the members has agreed on it for a while; undefined where none has. */
  get confirmedNowMs(): number | undefined {
    return this.time.confirmedMs(this.#context.limits.confirmMs);
  }

  /** What the stamps that are admitted are held against. */
  get ceiling(): CeilingTime {
    const { clock, limits } = this.#context;
    return {
      nowMs: () => this.time.nowMs(),
      elapsedMs: () => clock.elapsedMs(),
      maxDriftMs: limits.maxClockDriftMs,
    };
  }

  /** Whose clocks agreed when they were judged last. */
  get info(): ClocksInfo {
    return this.#info;
  }

  /** The cluster time and the agreement, as nodes are told them. */
  get word(): ClockWord {
    const { agreeing, members } = this.#info;
    // Nodes are told the time that this directory itself judges by, confirmed or not: it would refuse the stamps of nodes that go by another.
    return { aheadMs: this.time.aheadMs, agreeing, members };
  }

  /** The clock of a node or of another directory shows `wallMs`. */
  hear(id: string, wallMs: number): void {
    this.#members.hear(id, wallMs);
  }

  /** Goes by what most clocks say now. */
  judge(): void {
    const vote = this.#vote();
    this.time.learn(vote.offsetMs, vote);
    const before = this.#info;
    this.#info = describeClocks(vote, this.#ownOffsetMs);
    sayClocks(this.#context.logger, before, this.#info);
  }

  #vote(): ClockVote {
    const vote = this.#members.vote();
    if (this.#context.rules.mostClocksAreBelieved) return vote;
    return { ...vote, offsetMs: this.#ownOffsetMs, agreeing: 2, members: 2 };
  }

  get #ownOffsetMs(): number {
    const { clock } = this.#context;
    return clock.nowMs() - clock.elapsedMs();
  }
}
