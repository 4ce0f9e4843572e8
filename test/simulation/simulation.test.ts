import { describe, expect, it } from "vitest";

import { slowLogs } from "./rules/tampering.ts";
import { simulate } from "./scenario.ts";
import { simulateHonestly } from "./seeds.ts";
import { TracedLog } from "./traced-log.ts";

/** Which share of the waits for acknowledgements and positions must succeed in spite of all faults. */
const SHARE = 0.5;

/** Seeds that once failed, each with its line of story. */
const HISTORY: readonly (readonly [seed: number, story: string])[] = [
  [51, "an old entry, offered again behind a refused one, was given a new stamp and came back"],
  [222, "a lost message of a reconciliation left the node waiting, and every other node behind it"],
  [254, "a lost donation left a node without an entry that everyone else had"],
  [476, "a refused frame kept its stamp because a later one was refused first"],
  [1583, "a node whose disk had been full resumed behind frames that its store had not taken"],
  [2205, "a new stamp lay below one that was admitted, because its acknowledgement had been lost"],
  [2292, "stamps were lowered while a reconciliation was comparing them"],
  [2630, "two restores of one backup gave their epochs the same number"],
  [
    8400043,
    "the checker took what stood in place of a write in one frame for what stood there in all",
  ],
];

/** Seeds that once failed where every directory's disk is slow. */
const SLOW_HISTORY: readonly (readonly [seed: number, story: string])[] = [
  [140, "a place in an epoch newer than the node had heard of counted as reached"],
  [426, "a place in an epoch newer than the node had heard of counted as reached"],
  [3056, "reaching the end of an epoch counted as reaching what had been lost behind it"],
  [6852, "the checker lost track of a write that was given a new stamp twice"],
];

describe("a cluster that loses messages, processes, clocks, disks and directories", () => {
  for (const [seed, story] of HISTORY) {
    it(`converges at seed ${seed}, where once ${story}`, async () => {
      expect((await simulateHonestly(seed, "all")).violations, `SIM_SEED=${seed}`).toEqual([]);
    });
  }

  for (const [seed, story] of SLOW_HISTORY) {
    it(`converges at seed ${seed} with slow logs, where once ${story}`, async () => {
      const { violations } = await simulate(seed, slowLogs(TracedLog));
      expect(violations, `SIM_SEED=${seed}`).toEqual([]);
    });
  }

  it("answers most waits for acknowledgements and positions with success", async () => {
    const asked = { acknowledgements: 0, positions: 0 };
    const reached = { acknowledgements: 0, positions: 0 };
    for (let seed = 1; seed <= 10; seed += 1) {
      const outcome = await simulateHonestly(seed, "all");
      for (const kind of ["acknowledgements", "positions"] as const) {
        asked[kind] += outcome.asked[kind];
        reached[kind] += outcome.reached[kind];
      }
    }
    for (const kind of ["acknowledgements", "positions"] as const) {
      expect(asked[kind]).toBeGreaterThan(250);
      expect(reached[kind]).toBeGreaterThan(SHARE * asked[kind]);
    }
  });

  it("converges where only clocks are set", async () => {
    for (let seed = 1; seed <= 10; seed += 1) {
      const { violations } = await simulateHonestly(seed, "clocks");
      expect(violations, `SIM_SEED=${seed}`).toEqual([]);
    }
  });
});
