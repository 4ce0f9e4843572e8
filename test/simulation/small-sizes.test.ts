/** The sizes that some simulations make small are reached there. */
import { DIRECTORY_LIMITS, REPLICA_LIMITS } from "@meridian/replication";
import { expect, it } from "vitest";

import { SMALL_DIRECTORY_SIZES, SMALL_NODE_SIZES } from "./bounds.ts";
import type { ClusterParts } from "./parts.ts";
import { simulate, type Faults } from "./scenario.ts";
import { simulateHonestly } from "./seeds.ts";

/** Seeds with small sizes, of either kind of life. They are more than needed, because a change of the code changes the course of simulations. */
const SEEDS: readonly (readonly [seed: number, faults: Faults, directories: number])[] = [
  [13, "all", 2],
  [43, "all", 3],
  [58, "all", 2],
  [16, "all", 1],
  [34, "all", 2],
  [4, "all", 2],
  [25, "horizon", 2],
  [52, "all", 2],
  [7, "all", 2],
  [7, "all", 3],
];

/** Parts in which one size is as large as outside of simulations. */
function largeNode(size: keyof typeof SMALL_NODE_SIZES): ClusterParts {
  return {
    replicaOptions: (options) => ({
      ...options,
      limits: { ...options.limits, [size]: REPLICA_LIMITS[size] },
    }),
  };
}

function largeDirectory(size: keyof typeof SMALL_DIRECTORY_SIZES): ClusterParts {
  return { directoryLimits: { [size]: DIRECTORY_LIMITS[size] } };
}

const nodeSizes = Object.keys(SMALL_NODE_SIZES) as (keyof typeof SMALL_NODE_SIZES)[];
const directorySizes = Object.keys(SMALL_DIRECTORY_SIZES) as (keyof typeof SMALL_DIRECTORY_SIZES)[];

it.each([
  ...nodeSizes.map((size) => [size, largeNode(size)] as const),
  ...directorySizes.map((size) => [size, largeDirectory(size)] as const),
])("some simulations take another course with a large `%s`", async (_, large) => {
  for (const [seed, faults, directories] of SEEDS) {
    const small = await simulateHonestly(seed, faults, directories);
    expect(small.violations, `SIM_SEED=${seed}`).toEqual([]);
    const { events, reached } = await simulate(seed, large, faults, directories);
    if (events !== small.events || reached.acknowledgements !== small.reached.acknowledgements)
      return;
  }
  expect.fail("Expected another course at one of the seeds, got the same at all");
});
