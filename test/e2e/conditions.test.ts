import { startCluster, until } from "@meridian/harness";
import { expect, it } from "vitest";

import { Counters } from "../support/counters.ts";

/** How many increments are made before and after each kill. */
const STEADY = 15;

it("counters that clients of all regions increment lose nothing while regions and the directory are killed", async () => {
  const cluster = await startCluster();
  const counters = new Counters(() => cluster.regions.map(({ url }) => url), 2);
  const more = async (count: number): Promise<void> => {
    const enough = counters.done + count;
    await until(`${count} more increments`, () => counters.done >= enough, 60_000);
  };
  counters.start(6);
  try {
    for (const region of cluster.regions.slice(0, 2)) {
      await more(STEADY);
      await region.kill();
      await more(STEADY);
      await region.start();
      await cluster.killDirectory();
      await cluster.startDirectory();
    }
    await more(STEADY);
  } finally {
    await counters.stop();
  }
  await Promise.all(cluster.regions.map((region) => region.reaches("ready")));
  expect(await counters.violations()).toEqual([]);
  expect(counters.done).toBeGreaterThan(5 * STEADY - 1);
});
