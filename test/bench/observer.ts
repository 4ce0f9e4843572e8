import { randomInt } from "node:crypto";

import { Replica } from "@meridian/replication";
import { silentLogger, systemClock, systemRandom } from "@meridian/runtime";
import { emptyReplicaDisk, MemoryReplicaStore } from "@meridian/testkit";
import { dialLink } from "@meridian/transport";
import { until } from "@meridian/harness";

/** Joins a cluster as one more node, without HTTP and disk, and tells of each key that it hears of. */
export async function observe(
  directory: string,
  onKey: (key: string, bytes: number) => void,
): Promise<Replica> {
  const commitSoon = (commit: () => void): void => void setImmediate(commit);
  const store = new MemoryReplicaStore(emptyReplicaDisk(randomInt(1, 2 ** 47)), commitSoon);
  const replica = new Replica({
    node: {
      cluster: "meridian",
      id: "observer",
      region: "observer",
      ip: null,
      // Nobody asks it anything.
      port: 9,
      url: null,
      lat: 0,
      lon: 0,
    },
    store,
    dial: (events) => dialLink(`${directory}/replicate`, events, { logger: silentLogger }),
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
    defer: (callback) => setImmediate(callback),
    onChange: (entries) => {
      for (const { key, value } of entries) onKey(key, value.byteLength);
    },
  });
  replica.start();
  await until("the observer is ready", () => replica.status === "ready");
  return replica;
}
