import { describe, expect, it } from "vitest";

import { BOUNDS } from "./bounds.ts";
import type { ClusterParts } from "./parts.ts";
import { simulate } from "./scenario.ts";
import { TracedLog } from "./traced-log.ts";

const SEEDS = 8;
const UNTIL_MS = 12_000;

/** Makes the disks of directories full now and then, besides all other faults. */
function fullLogs(onFull: () => void): ClusterParts {
  return {
    openLog: (disk, epoch, schedule, world) => {
      const log = new TracedLog(disk, epoch, schedule, BOUNDS.logFrames);
      const fill = (): void => {
        if (world.nowMs > UNTIL_MS) return;
        log.full = true;
        const lengthMs = world.between(50, 5_000);
        world.schedule(lengthMs, () => {
          if (log.stall !== undefined) onFull();
          log.full = false;
        });
        world.schedule(lengthMs + world.between(100, 4_000), fill);
      };
      world.schedule(world.between(100, 4_000), fill);
      return log;
    },
  };
}

describe.each([1, 2])("a cluster of %i directories whose disks are full now and then", (count) => {
  it(`converges and loses no acknowledged write, seeds 1 to ${SEEDS}`, async () => {
    let stalls = 0;
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const parts = fullLogs(() => (stalls += 1));
      const { violations, acknowledged } = await simulate(seed, parts, "all", count);
      expect(violations, `SIM_SEED=${seed}`).toEqual([]);
      expect(acknowledged).toBeGreaterThan(0);
    }
    expect(stalls).toBeGreaterThan(SEEDS);
  });
});
