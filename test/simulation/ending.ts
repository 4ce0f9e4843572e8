import { checkAcknowledged, checkContents, checkCursors, checkStamps } from "./checks.ts";
import type { SimulatedCluster } from "./cluster.ts";
import { checkConverged, checkRest, heal } from "./healing.ts";
import type { Outcome } from "./scenario.ts";

/** Ends all faults of a life in which no horizon passes, waits until the cluster is at rest, and checks what must hold then. */
export async function end(cluster: SimulatedCluster): Promise<Outcome> {
  await heal(cluster);
  const violations = [
    ...cluster.auditor.violations,
    ...checkConverged(cluster),
    ...checkAcknowledged(cluster),
    ...checkContents(cluster),
    ...checkCursors(cluster),
    ...checkStamps(cluster),
    ...(await checkRest(cluster)),
  ];
  const { asked, reached } = cluster.auditor;
  const acknowledged = cluster.acknowledged.length;
  const { events } = cluster.world;
  return { violations, acknowledged, asked, reached, quarantined: 0, events };
}
