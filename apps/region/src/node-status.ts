import type { NodeStatus } from "@meridian/protocol";
import type { ReplicaInfo } from "@meridian/replication";
import type { Gauge } from "@meridian/runtime";
import type { SqliteReplicaStore } from "@meridian/store";

import type { MemoryStats } from "./service/memory.ts";
import type { ReadCounts } from "./service/reads.ts";

/** The body of `/status`: a node in numbers, for its operator. */
export interface NodeReport {
  readonly id: string;
  readonly region: string;
  readonly lat: number;
  readonly lon: number;
  readonly url: string;
  readonly cluster: string;
  readonly version: string;
  readonly startedAtMs: number;
  readonly nowMs: number;
  readonly status: NodeStatus;
  /** The other registered nodes that are ready. */
  readonly readyPeers: readonly string[];
  /** What is wrong with the database, if it is damaged. */
  readonly damage: string | null;
  /** Why the store takes no new values now, if that is so. */
  readonly shortage: string | null;
  /** The URL of the directory that the node is at or dials. */
  readonly directory: string | null;
  /** What was found where the directories ought to be, if none has ever admitted the node; else null. */
  readonly directoriesFound: string | null;
  readonly replica: ReplicaInfo;
  /** How full each queue is, and where its bound lies. */
  readonly gauges: readonly Gauge[];
  readonly store: ReturnType<SqliteReplicaStore["stats"]>;
  readonly cache: MemoryStats & { readonly reads: ReadCounts };
  readonly requests: { readonly active: number; readonly perSecond: number };
}
