import type { LogDoubt } from "@meridian/ports";
import { NODE_STATUSES } from "@meridian/protocol";
import type { Metrics } from "@meridian/runtime";

import { registerDoubt } from "../directory/directory-metrics.ts";
import type { MemberInfo } from "../directory/membership.ts";
import type { DirectoryLimits } from "../limits.ts";

/** What the metrics read of a serving directory. */
export interface MeasuredServing {
  readonly members: readonly MemberInfo[];
  readonly absent: readonly unknown[];
  /** The last sequence that has come from the stream, and the last one that the writer has committed. */
  readonly head: number;
  readonly committed: number;
  readonly isUp: boolean;
  readonly links: number;
  readonly recentBytes: number;
  /** Frames of its nodes that it has given to their neighbours before they were ordered. */
  readonly earlyFrames: number;
  /** The doubt of the log. */
  readonly doubt: LogDoubt | null;
}

/** Registers the metrics of a serving directory: of nodes and log under the names that they have at the writer. */
export function registerServing(
  metrics: Metrics,
  serving: MeasuredServing,
  { presentMax, recentBytesMax }: DirectoryLimits,
): void {
  registerDoubt(metrics, serving);
  for (const status of NODE_STATUSES) {
    const read = (): number => serving.members.filter((node) => node.status === status).length;
    metrics.gauge("meridian_nodes", "Nodes, by their status.", read, { status });
  }
  const gone = (): number => serving.absent.length;
  metrics.gauge("meridian_nodes", "Nodes, by their status.", gone, { status: "gone" });
  metrics.gauges(
    "meridian_node_unsent_entries",
    "What has not been sent to each node.",
    function* () {
      for (const { id, peer, unsent } of serving.members) {
        if (peer === null) yield [{ node: id }, unsent] as const;
      }
    },
  );
  metrics.counted(
    "meridian_committed_entries_total",
    "The newest durable sequence.",
    () => serving.head,
  );
  metrics.counted(
    "meridian_early_frames_total",
    "Frames of nodes here that their neighbours got before they were ordered.",
    () => serving.earlyFrames,
  );
  metrics.gauge(
    "meridian_writer_reached",
    "Whether the directory that writes the log answers.",
    () => (serving.isUp ? 1 : 0),
  );
  metrics.gauge(
    "meridian_stream_behind_entries",
    "What the directory that writes has committed and the stream has not given this one.",
    () => Math.max(0, serving.committed - serving.head),
  );
  metrics.level(() => [
    { name: "recentBytes", now: serving.recentBytes, max: recentBytesMax },
    { name: "members", now: serving.links, max: presentMax },
  ]);
}
