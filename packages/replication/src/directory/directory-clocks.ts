import type { ClockWord } from "@meridian/protocol";
import type { Clock, Logger } from "@meridian/runtime";

import type { DirectoryLimits } from "../limits.ts";
import { ClusterClock } from "../time/cluster-clock.ts";
import { MemberClocks } from "../time/member-clocks.ts";
import type { CeilingTime } from "../time/stamp-ceiling.ts";
import { describeClocks, sayClocks, type ClocksInfo } from "./clocks-info.ts";

/** What a directory needs to tell the time. */
export interface DirectoryClocksOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits: DirectoryLimits;
  /** The members that are remembered, this directory left out: the other directories, and the nodes. */
  remembered(): Iterable<string>;
}

/** How this directory is called among those whose clocks are compared; no node can be called so. */
const THIS_DIRECTORY = "this directory";

/** A directory's part in telling the time: it hears all clocks, goes by what most of them say, and tells the nodes. */
export class DirectoryClocks {
  readonly #options: DirectoryClocksOptions;
  readonly #members: MemberClocks;
  /** The cluster's time. */
  readonly time: ClusterClock;
  #info: ClocksInfo;

  constructor(options: DirectoryClocksOptions) {
    this.#options = options;
    const { clock, limits } = options;
    this.time = new ClusterClock(clock);
    this.time.maxDriftMs = limits.maxClockDriftMs;
    this.#members = new MemberClocks({
      clock,
      own: THIS_DIRECTORY,
      withinMs: limits.maxClockDriftMs,
      remembered: () => options.remembered(),
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
    return this.time.confirmedMs(this.#options.limits.confirmMs);
  }

  /** What the stamps that are admitted are held against. */
  get ceiling(): CeilingTime {
    const { clock, limits } = this.#options;
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

  /** What the nodes are told. */
  get word(): ClockWord {
    const { agreeing, members } = this.#info;
    // By what this directory goes itself, confirmed or not: a node that goes by anything else would be refused for it.
    return { aheadMs: this.time.aheadMs, agreeing, members };
  }

  /** The clock of a node or of another directory shows `wallMs`. */
  hear(id: string, wallMs: number): void {
    this.#members.hear(id, wallMs);
  }

  /** Goes by what most clocks say now. */
  judge(): void {
    const vote = this.#members.vote();
    this.time.learn(vote.offsetMs, vote);
    const before = this.#info;
    this.#info = describeClocks(vote, this.#ownOffsetMs);
    sayClocks(this.#options.logger, before, this.#info);
  }

  get #ownOffsetMs(): number {
    const { clock } = this.#options;
    return clock.nowMs() - clock.elapsedMs();
  }
}
