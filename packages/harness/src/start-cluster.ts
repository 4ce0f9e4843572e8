import { Cluster, FIVE_PLACES, type ClusterParts, type Place } from "@meridian/local-cluster";
import { onTestFailed, onTestFinished } from "vitest";

/** Fewer regions than there are places: more would only make most tests slower. */
const THREE_PLACES = FIVE_PLACES.slice(0, 3);

/**
 * Starts a cluster for the running test. It is gone when the test ends, however it ends.
 *
 *     it("what one region takes is in the other", async () => {
 *       const { regions } = await startCluster(FIVE_PLACES.slice(0, 2));
 *       await putValue(regions[0].url, "key", "value", { ack: "all" });
 *       expect(await getText(regions[1].url, "key")).toBe("value");
 *     });
 */
export async function startCluster(
  places: readonly Place[] = THREE_PLACES,
  parts?: ClusterParts,
): Promise<Cluster> {
  const cluster = disposable(parts);
  await cluster.start(places);
  return cluster;
}

/** Starts directories without regions for the running test. They are gone when the test ends, however it ends. */
export async function startDirectories(count: number): Promise<Cluster> {
  const cluster = disposable({ directories: count });
  await cluster.startDirectories();
  return cluster;
}

function disposable(parts?: ClusterParts): Cluster {
  const cluster = new Cluster(parts);
  onTestFinished(() => cluster.dispose());
  onTestFailed(() => void process.stdout.write(`${cluster.report()}\n`));
  return cluster;
}
