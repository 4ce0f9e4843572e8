import { isPurgeable, tombstone, type Entry } from "@meridian/protocol";

import { write } from "../clients.ts";
import type { SimulatedCluster } from "../cluster.ts";
import { TracedLog } from "../traced-log.ts";
import { restoredDirectories } from "./circumstances.ts";
import { without, type Rule } from "./rule.ts";
import { logs, tampered } from "./tampering.ts";

/** Longer than the slowest commit, in milliseconds. */
const REFUSED_WITHIN_MS = 50;

/** A log that claims to know every key. */
class KnowingLog extends TracedLog {
  override get(key: string): Entry | undefined {
    const entry = super.get(key);
    const isKnown = entry !== undefined && !isPurgeable(entry, this.horizonState.horizon);
    return isKnown ? entry : { ...tombstone(key, { time: 1, origin: 1 }), deleted: false };
  }
}

/** A log that says that it has never forgotten anything. */
class CandidLog extends TracedLog {
  override get purgedThrough(): number {
    return 0;
  }
}

/** Deletes a key of a value from all disks, as soon as a newer write of the key has been refused. */
function eraseReplaced(cluster: SimulatedCluster): void {
  const { world, nodes, directories, acknowledged } = cluster;
  const node = world.pick(nodes);
  const lasting = [...acknowledged].filter(({ fades }) => !fades);
  if (lasting.length === 0 || node.process === undefined) return;
  const { store } = node.process;
  const { key } = world.pick(lasting);
  store.full = true;
  write(cluster, node, [{ key, value: `refused at ${world.nowMs}`, ttlMs: 0 }]);
  world.schedule(REFUSED_WITHIN_MS, () => {
    store.full = false;
    for (const { disk } of [...nodes, ...directories]) disk.entries.delete(key);
  });
}

/** Rules of the horizon. */
export const HORIZON_RULES: readonly Rule[] = [
  {
    rule: "deletes are forgotten by the horizon",
    off: "nodes forget them by their own clocks",
    faults: "horizon",
    seed: 3,
    parts: () => ({ sweep: (store, _disk, { local }) => store.sweep(Infinity, local) }),
  },
  {
    rule: "a horizon is adopted in the order of the log",
    off: "every node has the directory's at once",
    faults: "horizon",
    seed: 71,
    parts: () => ({
      sweep: (store, disk, { directory }) => {
        disk.horizon = Math.max(disk.horizon, directory);
        store.sweep(Infinity);
      },
    }),
  },
  {
    rule: "the directory admits what is as old as the horizon only where it knows the key",
    off: "it claims to know every key",
    faults: "horizon",
    seed: 224,
    parts: () => logs(KnowingLog),
  },
  {
    rule: "a node says what is absent and as old as its horizon",
    off: "it takes in whatever comes",
    faults: "horizon",
    seed: 39,
    harder: () => restoredDirectories(),
    parts: () => without("absentIsBuried"),
  },
  {
    rule: "what a burial takes away is kept aside",
    off: "it is dropped",
    faults: "horizon",
    seed: 17,
    parts: () =>
      tampered((record) => {
        if (record.kind !== "remote") return record;
        const { quarantined: _, ...rest } = record;
        return rest;
      }),
  },
  {
    rule: "a directory adopts the horizons that it follows",
    off: "it has its own alone, which stands still without nodes",
    faults: "horizon",
    directories: 2,
    seed: 3,
    parts: () => without("followedHorizonIsAdopted"),
  },
  {
    rule: "a directory that may have missed what was purged reconciles",
    off: "it goes on where it was",
    faults: "horizon",
    directories: 2,
    seed: 33,
    parts: () => logs(CandidLog),
  },
  {
    rule: "what one log has buried is buried in all",
    off: "each keeps its burials to itself",
    faults: "horizon",
    directories: 2,
    seed: 14,
    parts: () => without("burialsAreFollowed"),
  },
  {
    rule: "a write that was refused has replaced nothing",
    off: "what it was to replace is erased everywhere",
    faults: "horizon",
    seed: 5,
    parts: () => ({ faults: (cluster) => [() => eraseReplaced(cluster)] }),
  },
];
