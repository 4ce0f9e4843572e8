import { randomInt } from "node:crypto";

import { Replica, type ReplicaOptions } from "@meridian/replication";
import { silentLogger, systemClock, systemRandom } from "@meridian/runtime";
import { emptyReplicaDisk, MemoryReplicaStore } from "@meridian/testkit";
import { dialLink } from "@meridian/transport";

/** The options of `startMemoryNode`. */
export interface MemoryNode {
  readonly directory: string;
  readonly cluster: string;
  readonly id: string;
  readonly onChange?: ReplicaOptions["onChange"];
}

/** Starts a node without HTTP whose store is in memory. The caller stops it. */
export function startMemoryNode({ directory, cluster, id, onChange }: MemoryNode): Replica {
  const commitSoon = (commit: () => void): void => void setImmediate(commit);
  const replica = new Replica({
    // No client uses this address.
    node: { cluster, id, region: id, ip: null, port: 9, url: null, lat: 1, lon: 2 },
    store: new MemoryReplicaStore(emptyReplicaDisk(randomInt(1, 2 ** 47)), commitSoon),
    dial: (events) => dialLink(`${directory}/replicate`, events, { logger: silentLogger }),
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
    defer: (callback) => setImmediate(callback),
    ...(onChange && { onChange }),
  });
  replica.start();
  return replica;
}
