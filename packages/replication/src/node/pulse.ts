import { MeridianError, type Hello, type NodeMessage, type NodeStatus } from "@meridian/protocol";

import type { ReplicaHorizon } from "../horizon/replica-horizon.ts";
import type { Applier } from "../intake/applier.ts";
import type { LogPosition } from "../intake/log-position.ts";
import type { ProgressWatch } from "../link/progress-watch.ts";
import type { ReplicaLink } from "../link/replica-link.ts";
import { ClockWatch } from "../time/clock-watch.ts";
import type { Reconciliation } from "../reconcile/reconciliation.ts";
import type { Home } from "./home.ts";
import type { LinkUse } from "./link-use.ts";
import type { NodeContext } from "./node-context.ts";
import { helloOf } from "./replica-options.ts";
import type { Restamper } from "./restamper.ts";
import type { ServingFacts } from "./serving-state.ts";
import type { Submitter } from "./submitter.ts";
import type { WritePath } from "./write-path.ts";

/** The parts of a node whose state a pulse reports. */
export interface PulseParts {
  readonly position: LogPosition;
  readonly applier: Applier;
  readonly home: Home;
  readonly horizon: ReplicaHorizon;
  readonly writes: WritePath;
  readonly submitter: Submitter;
  readonly restamper: Pick<Restamper, "isActive">;
  readonly reconciliation: Reconciliation;
  readonly use: LinkUse;
  readonly progress: ProgressWatch;
}

/** Fills in a node's `hello` and heartbeats, saves how far the node has come, and notices a link on which nothing moves. */
export class Pulse {
  readonly #context: NodeContext;
  readonly #parts: PulseParts;
  readonly #clockWatch: ClockWatch;

  constructor(context: NodeContext, parts: PulseParts) {
    const { time, clock, logger } = context;
    this.#context = context;
    this.#parts = parts;
    this.#clockWatch = new ClockWatch(time, clock, logger);
  }

  hello(status: NodeStatus): Hello {
    const { node, store, time, admitted, onHeat } = this.#context;
    const facts = {
      status,
      ...this.#parts.home.places,
      outboxAcknowledged: this.#parts.submitter.acknowledgedThrough,
      admittedTime: admitted.time,
      nowMs: time.ownMs(),
    };
    return helloOf(node, store, facts, onHeat !== undefined);
  }

  heartbeat(status: NodeStatus, isUp: boolean): NodeMessage {
    const { time, load } = this.#context;
    const { position, submitter, use } = this.#parts;
    this.#clockWatch.look();
    return {
      type: "heartbeat",
      nowMs: time.ownMs(),
      status,
      appliedThrough: use.visits ? 0 : position.durableThrough,
      outboxPending: submitter.pending,
      lowestTime: this.lowestTime(),
      lagMs: this.lagMs(isUp),
      load: load(),
    };
  }

  /** Tells the directory that what it has sent is durable here through that sequence, if the node stands in the log of that directory. */
  report(through: number, link: Pick<ReplicaLink<never>, "send">): void {
    if (this.#parts.use.visits) return;
    link.send({ type: "applied", nowMs: this.#context.time.ownMs(), through });
  }

  /** Makes the cursor durable, and then how far the outbox is acknowledged: the durable cursor has to cover durable acknowledgements. */
  save(): void {
    const { applier, submitter, home } = this.#parts;
    applier.save();
    home.save();
    submitter.save(home.savable);
  }

  /** What the node's status depends on. */
  facts(up: boolean): ServingFacts {
    const { position, reconciliation, use } = this.#parts;
    return {
      up,
      reconciling: reconciliation.isActive,
      applied: position.wholeThrough,
      full: use.isFull,
      settled: position.isSettled,
    };
  }

  /** A lower bound of the stamp times of all entries that this node still has to send or will ever make. */
  lowestTime(): number {
    const { time, stamps, early } = this.#context;
    const { horizon, submitter, writes } = this.#parts;
    // The promise goes only as far as the horizon needs it. A higher one would raise all later stamps, and a clock that is ahead must not do that.
    const made = stamps.promise((time.confirmedMs() ?? 0) - horizon.distanceMs);
    return Math.min(made, submitter.lowestTime, writes.lowestTime, early.lowestTime);
  }

  /** The horizon that the node may adopt now, if it is level; undefined for none. */
  dueHorizon(): number | undefined {
    const { horizon, position } = this.#parts;
    return horizon.due(position.applied, this.lowestTime());
  }

  lagMs(isUp: boolean): number {
    const { progress, position, use } = this.#parts;
    return progress.lagMs(position.behind === 0 && isUp && use.takesIn);
  }

  /**
   * The reason to give the link up; undefined to keep it. A message may have been lost although the link has not broken, and then something waits for
   * ever. A directory that cannot write its log is given up if there is another directory. A node whose disk is full moves on only when the disk has
   * room again, and then needs a new link. `bufferedBytes` are those that the link has yet to carry.
   */
  stall(bufferedBytes: number): MeridianError | undefined {
    const { progress, submitter, position, reconciliation, use, restamper } = this.#parts;
    const { limits, directories } = this.#context;
    const { isHeld } = submitter;
    if (use.mayResume) {
      const said = "The disk takes entries again; those that were passed over are asked for";
      return new MeridianError("OUT_OF_ORDER", said);
    }
    if (!use.takesIn) progress.logMoved();
    const isBusy = use.renews ? restamper.isActive : use.visits;
    if ((isHeld && directories === 1) || isBusy) {
      progress.start();
      return undefined;
    }
    const isStalled = progress.isStalled({
      outboxWaits: submitter.waiting || use.renews,
      logWaits: position.behind > 0,
      reconciles: reconciliation.isActive,
      waitsForTurn: reconciliation.isWaiting,
      bufferedBytes,
    });
    if (!isStalled) return undefined;
    if (isHeld) return new MeridianError("STORE_FULL", "The directory cannot write its log");
    const said = `Expected progress within ${limits.stallMs} ms, got none`;
    return new MeridianError("OUT_OF_ORDER", said);
  }
}
