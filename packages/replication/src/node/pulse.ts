import {
  MeridianError,
  type Hello,
  type NodeLoad,
  type NodeMessage,
  type NodeStatus,
} from "@meridian/protocol";

import type { ReplicaHorizon } from "../horizon/replica-horizon.ts";
import type { Applier } from "../intake/applier.ts";
import type { ProgressWatch } from "../link/progress-watch.ts";
import { ClockWatch } from "../time/clock-watch.ts";
import type { ClusterClock } from "../time/cluster-clock.ts";
import type { HybridClock } from "../time/hybrid-clock.ts";
import type { DiskWatch } from "./disk-watch.ts";
import { helloOf, type ReplicaOptions } from "./replica-options.ts";
import type { ServingFacts } from "./serving-state.ts";
import type { Settlement } from "./settlement.ts";
import type { Submitter } from "./submitter.ts";
import type { WritePath } from "./write-path.ts";

/** What a pulse needs. */
export interface PulseOptions extends Pick<
  ReplicaOptions,
  "node" | "store" | "clock" | "logger" | "load" | "directories"
> {
  readonly time: ClusterClock;
  readonly stamps: HybridClock;
  readonly horizon: ReplicaHorizon;
  readonly applier: Applier;
  readonly submitter: Submitter;
  readonly writes: WritePath;
  readonly progress: ProgressWatch;
  readonly settlement: Settlement;
  readonly disk: DiskWatch;
  readonly stallMs: number;
}

const NO_LOAD: NodeLoad = { entries: 0, bytes: 0, requestsPerSecond: 0 };

/** What a node says of itself when it greets and with every heartbeat, and whether anything still moves. */
export class Pulse {
  readonly #options: PulseOptions;
  readonly #clockWatch: ClockWatch;

  constructor(options: PulseOptions) {
    this.#options = options;
    this.#clockWatch = new ClockWatch(options.time, options.clock, options.logger);
  }

  hello(status: NodeStatus): Hello {
    const { node, store, time, applier, submitter, settlement } = this.#options;
    return helloOf(node, store, {
      status,
      ...settlement.home.places,
      outboxAcknowledged: submitter.acknowledgedThrough,
      admittedTime: applier.admittedTime,
      nowMs: time.ownMs(),
    });
  }

  heartbeat(status: NodeStatus, isUp: boolean): NodeMessage {
    const { time, applier, submitter, disk } = this.#options;
    this.#clockWatch.look();
    return {
      type: "heartbeat",
      nowMs: time.ownMs(),
      status,
      appliedThrough: disk.visits ? 0 : applier.durableThrough,
      outboxPending: submitter.pending,
      lowestTime: this.lowestTime(),
      lagMs: this.lagMs(isUp),
      load: this.#options.load?.() ?? NO_LOAD,
    };
  }

  /** Makes durable how far the node has come. The cursor first: what counts as acknowledged is to be covered by it. */
  save(): void {
    const { applier, submitter, settlement } = this.#options;
    applier.save();
    settlement.home.save();
    submitter.save(settlement.home.savable);
  }

  /** What the node's status depends on. */
  facts(up: boolean): ServingFacts {
    const { applier, settlement, disk } = this.#options;
    return {
      up,
      reconciling: settlement.reconciliation.isActive,
      applied: applier.wholeThrough,
      full: disk.isFull,
      settled: applier.isSettled,
    };
  }

  /** No entry that this node still has to send, or will ever make, has a lower stamp time. */
  lowestTime(): number {
    const { time, stamps, horizon, submitter, writes } = this.#options;
    // Where the horizon goes, no further: a clock that is ahead must not drag the stamps along.
    const made = stamps.promise((time.confirmedMs() ?? 0) - horizon.distanceMs);
    return Math.min(made, submitter.lowestTime, writes.lowestTime);
  }

  lagMs(isUp: boolean): number {
    const { progress, applier, disk } = this.#options;
    return progress.lagMs(applier.behind === 0 && isUp && disk.takesIn);
  }

  /**
   * A message may have been lost without the link breaking: why to give the link up where nothing moves although something
   * should. A directory that cannot write its log moves nothing; it is given up where there is another. A node whose disk
   * takes nothing does not move on until that is over, and then needs a new link.
   */
  stall(): MeridianError | undefined {
    const { progress, submitter, applier, settlement, disk } = this.#options;
    const { stallMs, directories = 1 } = this.#options;
    const { isHeld } = submitter;
    if (disk.mayResume) {
      const said = "The disk takes entries again; those that were passed over are asked for";
      return new MeridianError("OUT_OF_ORDER", said);
    }
    if (!disk.takesIn) progress.logMoved();
    if ((isHeld && directories === 1) || disk.visits) {
      progress.start();
      return undefined;
    }
    const { reconciliation } = settlement;
    const isStalled = progress.isStalled({
      outboxWaits: submitter.waiting,
      logWaits: applier.behind > 0,
      reconciles: reconciliation.isActive,
      waitsForTurn: reconciliation.isWaiting,
    });
    if (!isStalled) return undefined;
    if (isHeld) return new MeridianError("STORE_FULL", "The directory cannot write its log");
    return new MeridianError("OUT_OF_ORDER", `Expected progress within ${stallMs} ms, got none`);
  }
}
