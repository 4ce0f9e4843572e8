import { describe, expect, it } from "vitest";

import { simulateHonestly } from "./seeds.ts";

const SEEDS = 20;

describe("clients that write a few keys by conditions for the whole cluster, through all nodes", () => {
  it(`are told what one register would tell them, seeds 1 to ${SEEDS}`, async () => {
    let made = 0;
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const { violations, acknowledged } = await simulateHonestly(seed, "conditions");
      expect(violations, `SIM_SEED=${seed}`).toEqual([]);
      made += acknowledged;
    }
    expect(made).toBeGreaterThan(10 * SEEDS);
  });
});
