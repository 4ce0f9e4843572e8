import type { Link } from "@meridian/ports";
import type { DirectoryLimits, Replica, ReplicaOptions } from "@meridian/replication";
import type { Rules } from "@meridian/replication/source/rules";
import type { LogDisk, ReplicaDisk, ScheduleCommit } from "@meridian/testkit";

import type { SimulatedCluster } from "./cluster.ts";
import type { End } from "./network.ts";
import type { StreamParts } from "./stream/stream-parts.ts";
import type { TracedLog } from "./traced-log.ts";
import type { TracedStore } from "./traced-store.ts";
import type { ProcessClock, World } from "./world.ts";

/** The replaceable parts of a simulation. A test that plants a fault replaces one. */
export interface ClusterParts {
  openStore?(disk: ReplicaDisk, clock: ProcessClock, world: World): TracedStore;
  openLog?(disk: LogDisk, epoch: number, schedule: ScheduleCommit, world: World): TracedLog;
  openReplica?(options: ReplicaOptions, rules: Rules): Replica;
  replicaOptions?(options: ReplicaOptions): ReplicaOptions;
  onStart?(id: string, replica: Replica): void;
  /** Removes some of the purgeable entries of a node's store. */
  sweep?(store: TracedStore, disk: ReplicaDisk, horizons: Horizons): void;
  readonly directoryLimits?: Partial<DirectoryLimits>;
  /** Wraps the directory's end of a link. */
  directoryLink?(link: Link): Link;
  /** What arrives in place of a message; undefined for nothing. */
  rewrite?(
    message: string | Uint8Array,
    to: End,
    cluster: SimulatedCluster,
  ): string | Uint8Array | undefined;
  /** More faults, which happen as often as all others together. */
  faults?(cluster: SimulatedCluster): readonly (() => void)[];
  /** Rules of the state machines that are switched off. */
  readonly rules?: Partial<Rules>;
  /** What is wrong where the log is in a stream. */
  readonly stream?: StreamParts;
  /** Whether the simulation ends at the first violation that the auditor reports. Default: false. */
  readonly endsAtViolation?: boolean;
}

/** Wrong candidates for a node's horizon, for tests that plant a fault. */
interface Horizons {
  /** The directory's present horizon. */
  readonly directory: number;
  /** A horizon computed from the node's clock. */
  readonly local: number;
}

export const HONEST_PARTS: ClusterParts = {};
