import { onTestFailed, onTestFinished } from "vitest";

import { Cluster, FIVE_PLACES, type Place } from "./cluster.ts";

/** Fewer regions than there are places: more would only make most tests slower. */
const THREE_PLACES = FIVE_PLACES.slice(0, 3);

/** Starts a cluster for the running test. It is gone when the test ends, however it ends. */
export async function startCluster(
  places: readonly Place[] = THREE_PLACES,
  directories = 1,
): Promise<Cluster> {
  const cluster = new Cluster(undefined, directories);
  onTestFinished(() => cluster.dispose());
  onTestFailed(() => console.log(cluster.report()));
  await cluster.start(places);
  return cluster;
}
