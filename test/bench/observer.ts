import type { Replica } from "@meridian/replication";
import { until } from "@meridian/harness";

import { startMemoryNode } from "../support/memory-node.ts";

/** Joins a cluster as a node without HTTP and disk, and calls back for each key that it receives. */
export async function observe(
  directory: string,
  onKey: (key: string, bytes: number) => void,
): Promise<Replica> {
  const replica = startMemoryNode({
    directory,
    cluster: "meridian",
    id: "observer",
    onChange: (entries) => {
      for (const { key, value } of entries) onKey(key, value.byteLength);
    },
  });
  await until("the observer is ready", () => replica.status === "ready");
  return replica;
}
