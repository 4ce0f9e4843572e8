/** A checker that cannot fail proves nothing: each rule is broken in turn, and the simulation has to notice. */
import {
  decodeBlock,
  isPurgeable,
  tombstone,
  type Entry,
  type ReplicaRecord,
} from "@meridian/protocol";
import type { Done } from "@meridian/replication";
import { MemoryDirectoryLog } from "@meridian/testkit";
import { describe, expect, it } from "vitest";

import { HONEST_PARTS, type ClusterParts } from "./cluster.ts";
import { simulate, type Faults } from "./scenario.ts";
import { TracedStore } from "./traced-store.ts";

const SEEDS = 150;

/** A store that is honest but for what it does to the records it is given. */
class TamperedStore extends TracedStore {
  tamper: (record: ReplicaRecord) => ReplicaRecord = (record) => record;

  override append(record: ReplicaRecord, done: Done): void {
    super.append(this.tamper(record), done);
  }
}

/** A store that does not know after a restart how far its clock had come. */
class ClocklessStore extends TracedStore {
  override get highestTime(): number {
    return 0;
  }
}

/** A log that claims to know every key. */
class KnowingLog extends MemoryDirectoryLog {
  override get(key: string): Entry | undefined {
    const entry = super.get(key);
    const isKnown = entry !== undefined && !isPurgeable(entry, this.horizonState.horizon);
    return isKnown ? entry : { ...tombstone(key, { time: 1, origin: 1 }), deleted: false };
  }
}

function tampered(tamper: (record: ReplicaRecord) => ReplicaRecord): ClusterParts {
  return {
    ...HONEST_PARTS,
    openStore: (disk, clock, world) => {
      const store = new TamperedStore(disk, (run) => clock.after(world.between(0, 3), run));
      store.tamper = tamper;
      return store;
    },
  };
}

/** A fault, what happens beside it, and the seed to begin the search with. */
type PlantedFault = readonly [fault: string, faults: Faults, parts: ClusterParts, from?: number];

const FAULTS: readonly PlantedFault[] = [
  [
    "the cursor is committed ahead of the entries that it covers",
    "all",
    tampered((record) =>
      record.kind === "remote" && record.cursor !== undefined
        ? { ...record, cursor: { ...record.cursor, sequence: record.cursor.sequence + 20 } }
        : record,
    ),
  ],
  [
    "deletes of others are not applied",
    "all",
    tampered((record) =>
      record.kind === "remote"
        ? { ...record, entries: record.entries.filter(({ deleted }) => !deleted) }
        : record,
    ),
  ],
  [
    "a write was acknowledged before it was durable",
    "all",
    {
      ...HONEST_PARTS,
      openStore: (disk, clock, world) => {
        const lost = disk.outbox.pop();
        if (lost !== undefined) {
          disk.outboxThrough = lost.position - 1;
          for (const { key, stamp } of decodeBlock(lost.block, lost.count)) {
            if (disk.entries.get(key)?.stamp.time === stamp.time) disk.entries.delete(key);
          }
        }
        return new TracedStore(disk, (run) => clock.after(world.between(0, 3), run));
      },
    },
  ],
  [
    "the clock's floor is not restored after a crash",
    "clocks",
    {
      ...HONEST_PARTS,
      openStore: (disk, clock, world) =>
        new ClocklessStore(disk, (run) => clock.after(world.between(0, 3), run)),
    },
  ],
  [
    "a node forgets deletes by its own clock, and not by the horizon",
    "horizon",
    { ...HONEST_PARTS, sweep: (store, _disk, { local }) => store.sweep(Infinity, local) },
  ],
  [
    "a horizon is adopted at once, and not in the order of the log",
    "horizon",
    {
      ...HONEST_PARTS,
      sweep: (store, disk, { directory }) => {
        disk.horizon = Math.max(disk.horizon, directory);
        store.sweep(Infinity);
      },
    },
    34,
  ],
  [
    "the directory admits entries as old as the horizon without asking whether it has forgotten their deletes",
    "horizon",
    {
      ...HONEST_PARTS,
      openLog: (disk, epoch, schedule, framesMax) =>
        new KnowingLog(disk, epoch, schedule, framesMax),
    },
    34,
  ],
];

describe("the simulation", () => {
  it("has nothing to notice where only clocks are set and no fault is planted", async () => {
    for (let seed = 1; seed <= 50; seed += 1) {
      expect((await simulate(seed, undefined, "clocks")).violations, `SIM_SEED=${seed}`).toEqual(
        [],
      );
    }
  });

  for (const [fault, faults, parts, from = 1] of FAULTS) {
    it(`notices when ${fault}`, async () => {
      let noticed = false;
      for (let seed = from; seed < from + SEEDS && !noticed; seed += 1) {
        noticed = (await simulate(seed, parts, faults)).violations.length > 0;
      }
      expect(noticed).toBe(true);
    });
  }
});
