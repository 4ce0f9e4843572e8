/** What can be drilled: each drill lets one thing go wrong under load, and puts it right again. */
import { getJson } from "../directory-api.ts";
import { pause } from "../verify/settling.ts";
import type { DrillCluster } from "./drill-cluster.ts";
import type { Load } from "./load.ts";
import type { RegionMachine } from "./machine.ts";

/** What a drill works with. */
export interface Stage {
  readonly cluster: DrillCluster;
  readonly load: Load;
  /** The region that it happens to. */
  readonly victim: RegionMachine;
  /** Lets the load go on for a share of the time that things may be wrong. */
  readonly hold: (share: number) => Promise<void>;
}

/** A drill. */
export interface Drill {
  readonly name: string;
  /** What happens, as a sentence without its beginning: the region it happens to is `victim`. */
  readonly story: (victim: string) => string;
  /** Does it. Everything runs, and can reach everything, when it is over. */
  readonly run: (stage: Stage) => Promise<void>;
}

const HOUR_MS = 3_600_000;
/** How long a drill waits for a state of the cluster that has to come about, in milliseconds. */
const PATIENCE_MS = 30_000;
const POLL_MS = 25;

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
    run: ({ victim, hold }) => cutOff(() => victim.link.cut(), victim, hold),
  },
  {
    name: "black-hole",
    story: (victim) => `what ${victim} and the directory send each other vanishes for a while`,
    run: ({ victim, hold }) => cutOff(() => victim.link.blackHole(), victim, hold),
  },
  {
    name: "kill-region",
    story: (victim) => `${victim} is killed with SIGKILL, and started again`,
    run: async ({ victim, hold }) => {
      await victim.process.kill();
      await hold(1);
      await victim.start();
    },
  },
  {
    name: "kill-directory",
    story: () => "the directory is killed with SIGKILL, and started again",
    run: async ({ cluster, hold }) => {
      await cluster.directory.process.kill();
      await hold(1);
      await cluster.directory.start();
    },
  },
  {
    name: "pause-region",
    story: (victim) => `${victim} is held up with SIGSTOP, and goes on`,
    run: ({ victim, hold }) => holdUp(victim.process, hold),
  },
  {
    name: "pause-directory",
    story: () => "the directory is held up with SIGSTOP, and goes on",
    run: ({ cluster, hold }) => holdUp(cluster.directory.process, hold),
  },
  {
    name: "clock-ahead",
    story: (victim) =>
      `${victim} starts cut off, with its clock an hour ahead, serves, and comes back`,
    run: async (stage) => {
      const { victim, hold } = stage;
      await victim.process.stop();
      victim.link.cut();
      await victim.start(HOUR_MS);
      await serves(victim);
      await hold(0.5);
      victim.link.heal();
      await until(() => isConnected(victim));
      await hold(0.5);
      await restart(stage);
    },
  },
  {
    name: "clock-behind",
    story: (victim) => `${victim}'s clock is an hour behind`,
    run: async (stage) => {
      const { victim, hold } = stage;
      await victim.process.stop();
      await victim.start(-HOUR_MS);
      await hold(1);
      await restart(stage);
    },
  },
  {
    name: "restore-region",
    story: (victim) => `${victim}'s database is put back to an old backup`,
    run: async ({ load, victim, hold }) => {
      await victim.process.stop();
      victim.backUp();
      await victim.start();
      await hold(1);
      await replaceData(load, victim, () => victim.restore());
    },
  },
  {
    name: "lose-region",
    story: (victim) => `${victim}'s disk is lost, and replaced by an empty one`,
    run: ({ load, victim }) => replaceData(load, victim, () => victim.lose()),
  },
  {
    name: "restore-directory",
    story: () => "the directory's database is put back to an old backup",
    run: async ({ cluster: { directory }, hold }) => {
      await directory.process.stop();
      directory.backUp();
      await directory.start();
      await hold(1);
      await directory.process.kill();
      directory.restore();
      await directory.start();
    },
  },
  {
    name: "lose-directory",
    story: () => "the directory's data are lost whole",
    run: async ({ cluster: { directory }, hold }) => {
      await directory.process.kill();
      directory.lose();
      await hold(0.5);
      await directory.start();
    },
  },
];

async function cutOff(
  cut: () => void,
  { link }: RegionMachine,
  hold: Stage["hold"],
): Promise<void> {
  cut();
  await hold(1);
  link.heal();
}

async function holdUp(process: RegionMachine["process"], hold: Stage["hold"]): Promise<void> {
  process.hold();
  await hold(1);
  process.resume();
}

async function restart({ victim }: Stage): Promise<void> {
  await victim.process.stop();
  await victim.start();
}

/**
 * Changes what a region has stored. What only that disk has would be lost with it, and rightly so; therefore the region
 * first hands everything over.
 */
async function replaceData(load: Load, victim: RegionMachine, change: () => void): Promise<void> {
  await load.avoid(victim.name);
  await until(async () => {
    const { outboxPending, connected } = await replicaOf(victim);
    return connected === true && outboxPending === 0;
  });
  await victim.process.stop();
  change();
  await victim.start();
  load.readmit(victim.name);
}

async function isConnected(region: RegionMachine): Promise<boolean> {
  return (await replicaOf(region))["connected"] === true;
}

async function replicaOf({ url }: RegionMachine): Promise<Readonly<Record<string, unknown>>> {
  const { replica } = await getJson(`${url}/status`, "NO_READY_NODE");
  return replica as Readonly<Record<string, unknown>>;
}

async function serves(region: RegionMachine): Promise<void> {
  await until(async () => (await getJson(`${region.url}/readyz`, "NO_READY_NODE")) !== undefined);
}

/** Resolves once it is so, or when the patience is over: what is wrong then will show. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (const endMs = performance.now() + PATIENCE_MS; performance.now() < endMs;) {
    if (await isSo().catch(() => false)) return;
    await pause(POLL_MS);
  }
}
