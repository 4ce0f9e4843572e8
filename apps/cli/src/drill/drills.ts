/** The drills: each one causes one fault under load and repairs it. */
import type { Line, Program, Region } from "@meridian/local-cluster";
import { readiness } from "@meridian/protocol/http-api";

import { getJson } from "../directory-api.ts";
import { DIRECTORY_DRILLS } from "./directory-drills.ts";
import { handOver, replicaOf, comesAbout, type Drill, type Stage } from "./drill.ts";
import { HORIZON_DRILL } from "./horizon-drill.ts";

const HOUR_MS = 3_600_000;

/** Every drill, in the order in which they run. */
export const DRILLS: readonly Drill[] = [
  {
    name: "steady",
    story: () => "nothing goes wrong",
    run: ({ hold }) => hold(1),
  },
  {
    name: "cut",
    story: (victim) => `${victim}'s connection to the directory is cut, and healed`,
    run: ({ victim, hold }) => cutOff((line) => line.cut(), victim, hold),
  },
  {
    name: "black-hole",
    story: (victim) => `what ${victim} and the directory send each other vanishes for a while`,
    run: ({ victim, hold }) => cutOff((line) => line.blackHole(), victim, hold),
  },
  {
    name: "kill-region",
    story: (victim) => `${victim} is killed with SIGKILL, and started again`,
    run: async ({ victim, hold }) => {
      await victim.kill();
      await hold(1);
      await victim.start();
    },
  },
  {
    name: "kill-directory",
    story: () => "the directory is killed with SIGKILL, and started again",
    run: async ({ cluster, hold }) => {
      await cluster.killDirectory();
      await hold(1);
      await cluster.startDirectory();
    },
  },
  {
    name: "pause-region",
    story: (victim) => `${victim} is held up with SIGSTOP, and goes on`,
    run: ({ victim, hold }) => holdUp(victim.program, hold),
  },
  {
    name: "pause-directory",
    story: () => "the directory is held up with SIGSTOP, and goes on",
    run: ({ cluster, hold }) => holdUp(cluster.directory, hold),
  },
  {
    name: "clock-ahead",
    story: (victim) =>
      `${victim} starts cut off, with its clock an hour ahead, serves, and comes back`,
    run: async (stage) => {
      const { victim, hold } = stage;
      await victim.stop();
      for (const line of victim.lines.values()) line.cut();
      await victim.start(HOUR_MS);
      await serves(victim);
      await hold(0.5);
      for (const line of victim.lines.values()) line.heal();
      await comesAbout(() => isConnected(victim));
      await hold(0.5);
      await restart(stage);
    },
  },
  {
    name: "clock-behind",
    story: (victim) => `${victim}'s clock is an hour behind`,
    run: async (stage) => {
      const { victim, hold } = stage;
      await victim.stop();
      await victim.start(-HOUR_MS);
      await hold(1);
      await restart(stage);
    },
  },
  {
    name: "restore-region",
    story: (victim) => `${victim}'s database is put back to an old backup`,
    run: async (stage) => {
      const { victim, hold } = stage;
      await victim.stop();
      victim.backUp();
      await victim.start();
      await hold(1);
      await replaceData(stage, () => victim.restore());
    },
  },
  {
    name: "lose-region",
    story: (victim) => `${victim}'s disk is lost, and replaced by an empty one`,
    run: (stage) => replaceData(stage, () => stage.victim.empty()),
  },
  {
    name: "restore-directory",
    story: () => "the directory's database is put back to an old backup",
    run: async ({ cluster, hold }) => {
      const [directory] = cluster.directories;
      await cluster.stopDirectory();
      directory?.backUp();
      await cluster.startDirectory();
      await hold(1);
      await cluster.killDirectory();
      directory?.restore();
      await cluster.startDirectory();
    },
  },
  {
    name: "lose-directory",
    story: () => "the directory's data are lost whole",
    run: async ({ cluster, hold }) => {
      await cluster.killDirectory();
      cluster.emptyDirectory();
      await hold(0.5);
      await cluster.startDirectory();
    },
  },
  ...DIRECTORY_DRILLS,
  HORIZON_DRILL,
];

async function cutOff(
  cut: (line: Line) => void,
  { lines }: Region,
  hold: Stage["hold"],
): Promise<void> {
  for (const line of lines.values()) cut(line);
  await hold(1);
  for (const line of lines.values()) line.heal();
}

async function holdUp(program: Program, hold: Stage["hold"]): Promise<void> {
  program.halt();
  await hold(1);
  program.resume();
}

async function restart({ victim }: Stage): Promise<void> {
  await victim.stop();
  await victim.start();
}

/**
 * Changes the stored data of a region. Writes that only that disk has would be lost rightly, so the region
 * first hands everything over.
 */
async function replaceData(stage: Stage, change: () => void): Promise<void> {
  const { load, victim } = stage;
  await handOver(stage);
  await victim.stop();
  change();
  await victim.start();
  load.readmit(victim.name);
}

async function isConnected(region: Region): Promise<boolean> {
  return (await replicaOf(region))["connected"] === true;
}

async function serves(region: Region): Promise<void> {
  await comesAbout(
    async () => (await getJson(`${region.url}/readyz`, readiness, "NO_READY_NODE")) !== undefined,
  );
}
