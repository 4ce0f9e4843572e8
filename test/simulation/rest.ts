/** Whether a cluster is at rest, and what it holds then. */
import { digestOf, type Digest, type SummarySource } from "@meridian/replication";

import type { SimulatedCluster, SimulatedDirectory, SimulatedNode } from "./cluster.ts";

/** Whether all processes run, all nodes are level, and nothing is left to send. */
export function isQuiet({ nodes, directories }: SimulatedCluster): boolean {
  const heads = new Map<number, number>();
  for (const { process } of directories) {
    const info = process?.machine.info();
    if (info !== undefined) heads.set(info.logId, info.head);
  }
  const isLevel = ({ process }: SimulatedNode): boolean => {
    const info = process?.replica.info();
    const isReady = process?.replica.status === "ready" && info?.outboxPending === 0;
    return isReady && info.applied === heads.get(info.logId);
  };
  return nodes.every(isLevel) && directories.every(isSynced);

  function isSynced({ process }: SimulatedDirectory): boolean {
    const info = process?.machine.info();
    const hasAll = info?.peers.every(
      ({ connected, logId, applied }) => connected && applied === heads.get(logId),
    );
    return hasAll === true && info?.syncing === false;
  }
}

/** How far the logs of the directories that run have come, as one value to compare. */
export function headsOf({ directories }: SimulatedCluster): string {
  return directories.map(({ process }) => process?.machine.info().head).join();
}

/** What all that run hold, and the stream if there is one. */
export function digestsOf({
  nodes,
  directories,
  over,
  highestHorizon,
}: SimulatedCluster): readonly Digest[] {
  const stores: SummarySource[] = nodes.flatMap(({ process }) => process?.store ?? []);
  const logs = directories.flatMap(({ process }) => process?.log ?? []);
  const truth: SummarySource[] = over === undefined ? [] : [over.truth.log];
  return [...stores, ...logs, ...truth].map((source) =>
    digestOf(source.summariesAfter(null, Infinity, highestHorizon)),
  );
}
