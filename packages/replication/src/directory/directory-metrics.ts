import { NODE_STATUSES } from "@meridian/protocol";
import type { Metrics } from "@meridian/runtime";

import type { DirectoryLimits } from "../limits.ts";
import type { Sequencer } from "../order/sequencer.ts";
import { OFFERED_MAX } from "../reconcile/reconcile-responder.ts";
import type { DirectorySession } from "./directory-session.ts";
import type { Membership } from "./membership.ts";

/** What holds what a directory bounds. */
export interface BoundedParts {
  readonly limits: DirectoryLimits;
  readonly sequencer: Sequencer;
  readonly membership: Membership;
  readonly sessions: ReadonlySet<DirectorySession>;
}

/** Registers how a directory fares, and how full what it holds is; of what it holds for each node, the fullest. */
export function registerDirectory(
  metrics: Metrics,
  { limits, sequencer, membership, sessions }: BoundedParts,
): void {
  for (const status of NODE_STATUSES) {
    const read = (): number => membership.present.filter((node) => node.status === status).length;
    metrics.gauge("meridian_nodes", "Nodes, by their status.", read, { status });
  }
  const gone = (): number => membership.absent.length;
  metrics.gauge("meridian_nodes", "Nodes, by their status.", gone, { status: "gone" });
  metrics.counted(
    "meridian_ordered_entries_total",
    "The newest sequence of the log.",
    () => sequencer.head,
  );
  metrics.counted(
    "meridian_committed_entries_total",
    "The newest durable sequence.",
    () => sequencer.committedThrough,
  );
  const fullest = (read: (session: DirectorySession) => number): number =>
    [...sessions].reduce((most, session) => Math.max(most, read(session)), 0);
  const { commitBytesMax, recentBytesMax, membersMax, presentMax, watchedMax } = limits;
  metrics.level(() => [
    { name: "commitBytes", now: sequencer.pendingBytes, max: commitBytesMax },
    { name: "recentBytes", now: sequencer.recentBytes, max: recentBytesMax + commitBytesMax },
    { name: "offeredEntries", now: fullest((each) => each.offeredEntries), max: OFFERED_MAX },
    { name: "watchedFrames", now: fullest((each) => each.watchedFrames), max: watchedMax },
    { name: "members", now: membership.size, max: presentMax },
    { name: "rememberedMembers", now: membership.known, max: membersMax },
  ]);
}
