import { expect, it } from "vitest";

import { faultsOf, simulate } from "./scenario.ts";

/** How many seeds one run of the tests covers, divided among files that run side by side. */
const SEEDS = Number(process.env["SIM_SEEDS"] ?? 100);
const FILES = 4;
const BATCHES = 10;

/** Tests that no guarantee is broken in the seeds of one of `FILES` files, counted from 1. */
export function testSeeds(file: number): void {
  const inFile = Math.ceil(SEEDS / FILES);
  const size = Math.ceil(inFile / BATCHES);
  const end = Math.min(SEEDS, file * inFile);
  for (let first = 1 + (file - 1) * inFile; first <= end; first += size) {
    const last = Math.min(end, first + size - 1);
    it(`converges and loses no acknowledged write, seeds ${first} to ${last}`, async () => {
      for (let seed = first; seed <= last; seed += 1) {
        const { violations, acknowledged } = await simulate(seed, undefined, faultsOf(seed));
        expect(violations, `SIM_SEED=${seed}`).toEqual([]);
        expect(acknowledged).toBeGreaterThan(0);
      }
    });
  }
}
