import { describe, expect, it } from "vitest";

import { faultsOf, type Faults } from "./scenario.ts";
import { simulateHonestly } from "./seeds.ts";

const SEEDS = Number(process.env["SIM_SEEDS"] ?? 4);
const BATCHES = 4;

/** Seeds that once failed, each with its line of story. */
const HISTORY: readonly (readonly [
  seed: number,
  directories: number,
  faults: Faults,
  story: string,
])[] = [
  [17, 2, "horizon", "a node remembered having what its store had failed to take"],
  [37, 2, "horizon", "an empty directory was fed from before what was purged, and cut off for it"],
  [51, 2, "horizon", "a burial a little younger than its version left nothing in the quarantine"],
  [4248, 3, "all", "a node was fed from a place in its own log that it had only been told of"],
  [
    4258,
    3,
    "all",
    "a write was stamped below the one it replaced, because giving that a new stamp had failed",
  ],
  [38, 3, "all", "a node did not go back to the best directory, whose answers it had cut off"],
  [7003608, 2, "all", "a comparison that went on ended below what had been acknowledged since"],
  [
    23205232,
    2,
    "all",
    "a write that one directory had passed on and another refused undid the delete that followed",
  ],
  [8300279, 3, "all", "a cursor passed what a full disk had refused and its node had not heard of"],
];

describe("several directories", () => {
  for (const [seed, directories, faults, story] of HISTORY) {
    it(`converge at seed ${seed}, where once ${story}`, async () => {
      const { violations } = await simulateHonestly(seed, faults, directories);
      expect(violations, `SIM_SEED=${seed}`).toEqual([]);
    });
  }
});

describe.each([2, 3])(
  "a cluster of %i directories that are killed, cut off and lost",
  (directories) => {
    const size = Math.ceil(SEEDS / BATCHES);
    for (let first = 1; first <= SEEDS; first += size) {
      const last = Math.min(SEEDS, first + size - 1);
      it(`converges and loses no acknowledged write, seeds ${first} to ${last}`, async () => {
        for (let seed = first; seed <= last; seed += 1) {
          const faults = faultsOf(seed);
          const { violations, acknowledged } = await simulateHonestly(seed, faults, directories);
          expect(violations, `SIM_SEED=${seed}`).toEqual([]);
          expect(acknowledged).toBeGreaterThan(0);
        }
      });
    }
  },
);
