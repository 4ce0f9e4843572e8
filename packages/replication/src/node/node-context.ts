import type { Done, ReplicaStore } from "@meridian/ports";
import {
  STAMPS_PER_MS,
  type Entry,
  type MeridianError,
  type NodeLoad,
  type OutboxFrame,
  type ReplicaRecord,
  type TraceContext,
} from "@meridian/protocol";
import { Deadlines } from "@meridian/runtime";

import type { Emitter } from "../events.ts";
import type { ApplierEvents } from "../intake/applier.ts";
import { REPLICA_LIMITS, type ReplicaLimits } from "../limits.ts";
import type { NodeLinkMessage } from "../link/link-messages.ts";
import type { ReplicaLinkEvents } from "../link/replica-link.ts";
import type { Rules } from "../rules.ts";
import { SharedTurns } from "../shared-turns.ts";
import { AdmittedTime } from "../time/admitted-time.ts";
import { ClusterClock } from "../time/cluster-clock.ts";
import { HybridClock } from "../time/hybrid-clock.ts";
import { EarlyEntries } from "./early-entries.ts";
import type { ReplicaOptions, TracedFrame } from "./replica-options.ts";

/** What all parts of a node's machine share. */
export interface NodeContext
  extends
    Required<
      Pick<ReplicaOptions, "node" | "dial" | "clock" | "random" | "logger" | "defer" | "load">
    >,
    Pick<ReplicaOptions, "onHeat"> {
  /** How many directories can be dialled: more as they become known. Only `DirectoryChoice` changes it. */
  directories: number;
  /** The parts read from it; only `append` writes to it. */
  readonly store: Omit<ReplicaStore, "append">;
  /** Hands a record to the store. If it fails, `refused` is told before `done` is called. */
  readonly append: ReplicaStore["append"];
  readonly limits: ReplicaLimits;
  readonly deadlines: Deadlines;
  /** What time it is for the cluster. */
  readonly time: ClusterClock;
  /** Gives this node's writes their stamps. */
  readonly stamps: HybridClock;
  readonly admitted: AdmittedTime;
  /** What has come before the log had it. */
  readonly early: EarlyEntries;
  readonly events: Emitter<NodeEvents>;
  readonly rules: Rules;
  /** Shares turns of the event loop among the walks over rows. */
  readonly turns: SharedTurns;
}

/** Facts about the writes of a frame that are not in the frame. */
export interface WriteFacts {
  /** Whether any of the writers waits to hear who has applied the frame. */
  readonly reportApplied: boolean;
  /** Whether all of them were written just now, and none is sent again. */
  readonly isNew: boolean;
  /** The traces of the writes. */
  readonly traces: readonly TraceContext[];
}

/** What the parts of a node's machine tell it. */
export interface NodeEvents extends ApplierEvents, Required<ReplicaLinkEvents<NodeLinkMessage>> {
  /** The node's own writes are durable. Their writers are answered after this. */
  durable(frame: OutboxFrame, entries: readonly Entry[], facts: WriteFacts): void;
  /** Entries of others that may be news are on their way to the store. */
  changed(entries: readonly Entry[]): void;
  /** A frame of the log that ends with `through` has brought these keys. */
  taken(through: number, keys: readonly string[]): void;
  /** Entries that came early are not in the log after a long time. The owner puts them into the outbox, and calls `offered` once they are durable there, or with why they are not. */
  overdue(entries: readonly Entry[], offered: (failure: unknown) => void): void;
  /** The log has sent entries that `entries` replace. The owner puts `entries` into the outbox, and then calls `offered`. */
  corrected(entries: readonly Entry[], offered: () => void): void;
  /** The log has sent entries whose stamps were taken back. The owner writes what the store holds of their keys above them, and then calls `outranked`. */
  returned(entries: readonly Entry[], outranked: () => void): void;
  /** Traced writes of others are durable. */
  traced(frame: TracedFrame): void;
  /** Entries have gone into the quarantine. */
  quarantined(entries: readonly Entry[]): void;
  /** Everything through `through` is durable, and the sender of the frame has asked to be told. */
  reported(through: number): void;
  /** The log may hold writes of this node that the node has lost: the two have to reconcile on the next link. */
  outdated(): void;
  /** Stamps of this node are about to be taken back: logs in which it stood before may hold entries under them. */
  takingBack(): void;
  /** Entries have got new stamps, which may be lower than before: whoever caches their keys drops them. */
  restamped(entries: readonly Entry[]): void;
  /** The node has stopped giving new stamps. */
  renewed(): void;
  /** The log may lack writes of the node that another log has acknowledged. */
  lacked(): void;
  /** Once the log has the outbox through this position, it has every write of the node that any log has acknowledged. */
  completed(outboxPosition: number): void;
  /** A reconciliation is over. */
  reconciled(): void;
  /** A directory that the node prefers can be dialled. */
  betterFound(): void;
  /**
   * A record could not be made durable. The records that were appended after it will fail, too; their `done` has not been called yet.
   * The store stands where it last was durable.
   */
  refused(): void;
  /** Something could not be made durable, or is wrong with what the link carries. */
  failed(failure: MeridianError): void;
}

const NO_LOAD: NodeLoad = { entries: 0, bytes: 0, requestsPerSecond: 0 };

/** What the parts of a node made with `options` share, and where they tell what has happened. */
export function contextOf(
  options: ReplicaOptions,
  events: Emitter<NodeEvents>,
  rules: Rules,
): NodeContext {
  const { store, clock, random } = options;
  const floor = Math.max(store.highestTime, store.horizon);
  const defer = (callback: () => void): void => options.defer(callback);
  const context = {
    ...options,
    append: (record: ReplicaRecord, done: Done) =>
      store.append(record, (failure) => {
        if (failure !== undefined) events.emit.refused();
        done(failure);
      }),
    directories: options.directories ?? 1,
    load: () => options.load?.() ?? NO_LOAD,
    defer,
    turns: new SharedTurns(defer, clock),
    limits: { ...REPLICA_LIMITS, ...options.limits },
    deadlines: new Deadlines(clock),
    time: new ClusterClock(clock, rules),
    stamps: new HybridClock(random, floor, STAMPS_PER_MS, rules),
    admitted: new AdmittedTime(store.admittedTime),
    events,
    rules,
  };
  return { ...context, early: new EarlyEntries(context) };
}
