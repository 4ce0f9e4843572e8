/** Drills with two directories: the regions are to be on the other one at once, and back when all is well. */
import type { Region } from "@meridian/local-cluster";

import { replicaOf, comesAbout, type Drill, type Stage } from "./drill.ts";

const [FIRST, SECOND] = [0, 1];
/** How soon a region is to be at another directory. */
const FAILOVER_MS = 2_000;

/** Every drill with several directories. */
export const DIRECTORY_DRILLS: readonly Drill[] = [
  {
    name: "kill-first-directory",
    directories: 2,
    story: () => "the first of two directories is killed with SIGKILL, and started again",
    run: (stage) => killFirst(stage, () => {}),
  },
  {
    name: "lose-first-directory",
    directories: 2,
    story: () => "the first of two directories loses its data whole, and is filled by the second",
    run: (stage) => killFirst(stage, () => stage.cluster.emptyDirectory()),
  },
  {
    name: "cut-first-directory",
    directories: 2,
    story: (victim) => `${victim} cannot reach the first of two directories for a while`,
    run: async (stage) => {
      const { victim, hold } = stage;
      await cutFirst(stage);
      await hold(1);
      victim.lines.get(FIRST)?.heal();
      await goBack(stage, [victim]);
    },
  },
  {
    name: "split-directories",
    directories: 2,
    story: (victim) =>
      `two directories cannot reach each other, and ${victim} is at the second, while others are at the first`,
    run: async (stage) => {
      const { cluster, victim, hold } = stage;
      const between = cluster.directories.flatMap(({ lines }) => [...lines.values()]);
      await cutFirst(stage);
      for (const line of between) line.cut();
      await hold(1);
      for (const line of between) line.heal();
      victim.lines.get(FIRST)?.heal();
      await goBack(stage, [victim]);
    },
  },
];

/** Kills the first directory and, after what happens to it while it is gone, starts it again. */
async function killFirst(stage: Stage, meanwhile: () => void): Promise<void> {
  const { cluster, hold } = stage;
  const killedAtMs = performance.now();
  await cluster.killDirectory(FIRST);
  meanwhile();
  await goOver(stage, cluster.regions, killedAtMs);
  await hold(1);
  await cluster.startDirectory(FIRST);
  await goBack(stage, cluster.regions);
}

async function cutFirst(stage: Stage): Promise<void> {
  const cutAtMs = performance.now();
  stage.victim.lines.get(FIRST)?.cut();
  await goOver(stage, [stage.victim], cutAtMs);
}

/** Waits until the regions are at the second directory. */
async function goOver(stage: Stage, regions: readonly Region[], sinceMs: number): Promise<void> {
  const areThere = await comesAbout(() => areAt(regions, SECOND));
  const tookMs = performance.now() - sinceMs;
  stage.note(`${namesOf(regions)} at the second directory after ${seconds(tookMs)}`);
  if (areThere && tookMs <= FAILOVER_MS) return;
  const within = `within ${seconds(FAILOVER_MS)}`;
  stage.complain(`${namesOf(regions)} not at the second directory ${within}`);
}

/** Waits until the regions are at the first directory again. */
async function goBack(stage: Stage, regions: readonly Region[]): Promise<void> {
  const sinceMs = performance.now();
  const areThere = await comesAbout(() => areAt(regions, FIRST));
  const tookMs = performance.now() - sinceMs;
  if (areThere) stage.note(`${namesOf(regions)} back at the first after ${seconds(tookMs)}`);
  else stage.complain(`${namesOf(regions)} not back at the first after ${seconds(tookMs)}`);
}

async function areAt(regions: readonly Region[], directory: number): Promise<boolean> {
  const replicas = await Promise.all(regions.map(replicaOf));
  return replicas.every((replica) => replica["connected"] && replica["directory"] === directory);
}

function namesOf(regions: readonly Region[]): string {
  return regions.map(({ name }) => name).join(", ");
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}
