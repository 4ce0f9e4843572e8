import type { ReplicaStore } from "@meridian/ports";
import {
  STAMPS_PER_MS,
  type Entry,
  type MeridianError,
  type NodeLoad,
  type OutboxFrame,
} from "@meridian/protocol";
import { Deadlines } from "@meridian/runtime";

import type { Emitter } from "../events.ts";
import type { ApplierEvents } from "../intake/applier.ts";
import { REPLICA_LIMITS, type ReplicaLimits } from "../limits.ts";
import type { NodeLinkMessage } from "../link/link-messages.ts";
import type { LinkEvents } from "../link/replica-link.ts";
import type { Rules } from "../rules.ts";
import { AdmittedTime } from "../time/admitted-time.ts";
import { ClusterClock } from "../time/cluster-clock.ts";
import { HybridClock } from "../time/hybrid-clock.ts";
import type { ReplicaOptions } from "./replica-options.ts";

/** What all parts of a node's machine share. */
export interface NodeContext extends Required<
  Pick<
    ReplicaOptions,
    "node" | "dial" | "directories" | "clock" | "random" | "logger" | "defer" | "load"
  >
> {
  /** Read here, and written to by `append` alone. */
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
  readonly events: Emitter<NodeEvents>;
  readonly rules: Rules;
}

/** What the parts of a node's machine tell it. */
export interface NodeEvents extends ApplierEvents, Required<LinkEvents<NodeLinkMessage>> {
  /** The node's own writes are durable. Their writers are answered after this. */
  durable(
    frame: OutboxFrame,
    entries: readonly Entry[],
    reportApplied: boolean,
    isNew: boolean,
  ): void;
  /** Entries of others that may be news are on their way to the store. */
  changed(entries: readonly Entry[]): void;
  /** A frame of the log that ends with `through` has brought these keys. */
  taken(through: number, keys: readonly string[]): void;
  /** The log is to hear of entries instead of those that it has sent. `offered` is to be called when they are in the outbox. */
  corrected(entries: readonly Entry[], offered: () => void): void;
  /** Entries have gone into the quarantine. */
  quarantined(entries: readonly Entry[]): void;
  /** Everything through `through` is durable, and the sender of the frame wants to know. */
  reported(through: number): void;
  /** What an older copy of this database had not sent gets lower stamps: node and log have to compare what they have after that. */
  outdated(): void;
  /** Entries have new stamps, lower ones perhaps: what memory holds of their keys is void. */
  restamped(entries: readonly Entry[]): void;
  /** The log may lack what the node has had acknowledged elsewhere. */
  lacked(): void;
  /** With the outbox through this position, the log has all that the node has had acknowledged. */
  completed(outboxPosition: number): void;
  /** A reconciliation is over. */
  reconciled(): void;
  /** A better directory is to be tried. */
  betterFound(): void;
  /**
   * A record could not be made durable, and neither will be anything that was appended after it until now, although nobody else has been told
   * of that yet: the store stands where it last was durably.
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
  return {
    ...options,
    append: (record, done) =>
      store.append(record, (failure) => {
        if (failure !== undefined) events.emit.refused();
        done(failure);
      }),
    directories: options.directories ?? 1,
    load: () => options.load?.() ?? NO_LOAD,
    defer: (callback) => options.defer(callback),
    limits: { ...REPLICA_LIMITS, ...options.limits },
    deadlines: new Deadlines(clock),
    time: new ClusterClock(clock, rules),
    stamps: new HybridClock(random, floor, STAMPS_PER_MS, rules),
    admitted: new AdmittedTime(store.admittedTime),
    events,
    rules,
  };
}
