import { expect, it } from "vitest";

import { faultsOf, simulate, type Faults, type Outcome } from "./scenario.ts";

/** How many seeds one run of the tests covers, divided among files that run side by side. */
const SEEDS = Number(process.env["SIM_SEEDS"] ?? 60);
const FILES = 4;
const BATCHES = 5;

/** Outcomes by seed, faults and directories: a process runs several files. */
const known = new Map<string, Promise<Outcome>>();

/** Simulates a seed without planted faults. The same seed always has the same outcome, so each process simulates it once. */
export function simulateHonestly(seed: number, faults: Faults, directories = 1): Promise<Outcome> {
  const name = `${seed} ${faults} ${directories}`;
  const outcome = known.get(name) ?? simulate(seed, undefined, faults, directories);
  known.set(name, outcome);
  return outcome;
}

/** Tests that no guarantee is broken in the seeds of one of `FILES` files, counted from 1. */
export function testSeeds(file: number): void {
  const inFile = Math.ceil(SEEDS / FILES);
  const size = Math.ceil(inFile / BATCHES);
  const end = Math.min(SEEDS, file * inFile);
  for (let first = 1 + (file - 1) * inFile; first <= end; first += size) {
    const last = Math.min(end, first + size - 1);
    it(`converges and loses no acknowledged write, seeds ${first} to ${last}`, async () => {
      let written = 0;
      for (let seed = first; seed <= last; seed += 1) {
        const { violations, acknowledged } = await simulateHonestly(seed, faultsOf(seed));
        expect(violations, `SIM_SEED=${seed}`).toEqual([]);
        written += acknowledged;
      }
      // In a single one, backups that are put back may rightly lose everything.
      expect(written).toBeGreaterThan(0);
    });
  }
}
