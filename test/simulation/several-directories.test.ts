import { describe, expect, it } from "vitest";

import { simulate } from "./scenario.ts";

const SEEDS = Number(process.env["SIM_SEEDS"] ?? 500) / 5;
const BATCHES = 5;

describe.each([2, 3])(
  "a cluster of %i directories that are killed, cut off and lost",
  (directories) => {
    const size = Math.ceil(SEEDS / BATCHES);
    for (let first = 1; first <= SEEDS; first += size) {
      const last = Math.min(SEEDS, first + size - 1);
      it(`converges and loses no acknowledged write, seeds ${first} to ${last}`, async () => {
        for (let seed = first; seed <= last; seed += 1) {
          const { violations, acknowledged } = await simulate(seed, undefined, "all", directories);
          expect(violations, `SIM_SEED=${seed}`).toEqual([]);
          expect(acknowledged).toBeGreaterThan(0);
        }
      });
    }
  },
);
