/** Runs drills one after the other, each on a cluster of its own, and leaves nothing behind. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import {
  Cluster,
  Load,
  PLACES,
  RegionRequests,
  type Destination,
  type NodePrograms,
} from "@meridian/local-cluster";
import { MeridianError } from "@meridian/protocol";
import { seededRandom, type Random } from "@meridian/runtime";

import { DirectoryApi } from "../directory-api.ts";
import { findParties } from "../verify/find-parties.ts";
import { pause } from "../pause.ts";
import { auditKeys, converge, type Convergence } from "./convergence.ts";
import type { DrillReport } from "./drill-report.ts";
import type { Drill } from "./drill.ts";
import { DRILLS } from "./drills.ts";

/** How drills are run. */
export interface DrillOptions {
  /** How long each is under load. */
  readonly seconds: number;
  /** Requests a second. */
  readonly rate: number;
  readonly seed: number;
  readonly regions: number;
  /** Keeps the folders of data and logs, and says where they are. */
  readonly keep: boolean;
  readonly programs: NodePrograms;
  /** Ends the drill, with all of its programs. */
  readonly stopped: AbortSignal;
  readonly say: (line: string) => void;
}

/** What a drill does not take longer than, once it is healed. */
const CONVERGENCE_MS = 60_000;
/** The shares of the time under load before anything goes wrong, while it is wrong, and after it has been put right. */
const SHARES = { before: 0.25, wrong: 0.5, after: 0.25 };
/** Nothing that is written to a cluster of others lives longer. */
const GUEST_TTL_MS = 600_000;

/** Runs one drill. */
export async function runDrill(drill: Drill, options: DrillOptions): Promise<DrillReport> {
  const { seed, stopped, keep, say } = options;
  const folder = mkdtempSync(join(tmpdir(), `meridian-drill-${drill.name}-`));
  const broken: string[] = [];
  const complain = (how: string): void => void broken.push(how);
  const { directories = 1, horizonMs } = drill;
  const { programs } = options;
  const directoryArgs = horizonMs === undefined ? [] : [`--horizon=${horizonMs}ms`];
  const cluster = new Cluster({ programs, directories, directoryArgs, folder, onLost: complain });
  // If the process exits and cannot wait, all programs are killed at once.
  const killNow = (): void => {
    cluster.killNow();
    if (!keep) rmSync(folder, { recursive: true, force: true });
  };
  process.once("exit", killNow);
  try {
    return await stoppable(
      drillOn(cluster, drill, options, broken, randomFor(drill, seed)),
      stopped,
    );
  } finally {
    await cluster.dispose();
    process.off("exit", killNow);
    if (keep) say(`the data and logs of ${drill.name} are in ${folder}`);
    else rmSync(folder, { recursive: true, force: true });
  }
}

/** Repeats itself for a drill and a seed, and differs between drills. */
function randomFor({ name }: Drill, seed: number): Random {
  return seededRandom(seed + DRILLS.findIndex((drill) => drill.name === name));
}

async function drillOn(
  cluster: Cluster,
  drill: Drill,
  options: DrillOptions,
  broken: string[],
  random: Random,
): Promise<DrillReport> {
  const { rate, seconds, seed, stopped } = options;
  await cluster.start(PLACES.slice(0, options.regions));
  const victim = cluster.regions[Math.floor(random.next() * cluster.regions.length)];
  if (victim === undefined)
    throw new MeridianError("INVALID_ARGUMENT", "Expected a region, got none");
  const names = cluster.regions.map(({ name }) => name);
  const ready = await converge(cluster.directories, names, CONVERGENCE_MS, stopped);
  const destinations = cluster.regions;
  const load = new Load({ destinations, rate, random, prefix: "drill/", ttlMsMax: 0 });
  if (ready.failure !== null) throw new MeridianError("NO_READY_NODE", ready.failure);
  // Nobody waits for a drill that was stopped; its load must not go on.
  stopped.addEventListener("abort", () => void load.stop(), { once: true });
  const hold = (share: number): Promise<void> => pause(share * seconds * 1000, stopped);
  load.start();
  await hold(SHARES.before);
  const notes: string[] = [];
  await drill.run({
    cluster,
    load,
    victim,
    hold: (share) => hold(share * SHARES.wrong),
    note: (line) => void notes.push(line),
    complain: (line) => void broken.push(line),
  });
  // While the load goes on: it may not take a rest for everyone to come together.
  const healed = await converge(cluster.directories, names, CONVERGENCE_MS, stopped);
  await hold(SHARES.after);
  await load.stop();
  const ended = await converge(cluster.directories, names, CONVERGENCE_MS, stopped);
  const failure = ended.failure ?? healed.failure;
  const convergence = { ...ended, failure, ms: ended.failure === null ? healed.ms : null };
  const audit = await auditKeys(load.ledger, destinations);
  const violations = [...broken, ...load.violations, ...audit];
  return {
    drill: drill.name,
    story: drill.story(victim.name),
    seed,
    seconds,
    counts: load.counts(),
    convergence,
    notes,
    violations,
    passed: violations.length === 0 && convergence.ms !== null,
  };
}

/** What a drill on a cluster that runs already is doing. */
export type GuestPhase = "gathering" | "load" | "fault" | "healed" | "settling" | "audit";

/** A drill on a cluster that runs already. */
export interface GuestDrill {
  readonly name: string;
  /** What happens, in a few words; `where` are the regions and their directory. */
  readonly story: (where: string) => string;
  /** Those that are to be ready, and hold the same, before it begins. Default: whoever is ready is put under load. */
  readonly regions?: readonly string[];
  /** Causes the fault and repairs it; `hold` lets the load go on while it lasts. Without it, nothing goes wrong. */
  readonly disturb?: (hold: () => Promise<void>) => Promise<void>;
  /** Told of each phase as it begins. */
  readonly onPhase?: (phase: GuestPhase, load: Load) => void;
}

const STEADY: GuestDrill = {
  name: "steady",
  story: (where) => `${where} are under load, and nothing goes wrong`,
};

/** Puts a cluster that runs already under load, and checks it. What it writes expires, and is deleted. */
export async function runAgainst(
  directory: string,
  options: Omit<DrillOptions, "programs" | "keep" | "regions">,
  { name, story, regions, disturb, onPhase }: GuestDrill = STEADY,
): Promise<DrillReport> {
  const { rate, seconds, seed, stopped } = options;
  const random = seededRandom(seed);
  const parties = await findParties([{ url: directory }]);
  const directories = parties.directories.map((each) => placeOf(each.name, each.url ?? ""));
  if (regions !== undefined) {
    const { failure } = await converge(directories, regions, CONVERGENCE_MS, stopped);
    if (failure !== null) throw new MeridianError("NO_READY_NODE", `It cannot begin: ${failure}`);
  }
  const records = await new DirectoryApi(directory).nodes();
  const ready = records.filter(({ status }) => status === "ready");
  const destinations: Destination[] = ready.map(({ id, url }) => placeOf(id, url));
  const names = destinations.map((each) => each.name);
  const prefix = `drill/${seed}-${process.pid}/`;
  const load = new Load({ destinations, rate, random, prefix, ttlMsMax: GUEST_TTL_MS });
  const hold = (share: number): Promise<void> => pause(share * seconds * 1000, stopped);
  const together = (): Promise<Convergence> =>
    converge(directories, names, CONVERGENCE_MS, stopped);
  let healed: Convergence | undefined;
  try {
    onPhase?.("load", load);
    load.start();
    if (disturb === undefined) await hold(1);
    else {
      await hold(SHARES.before);
      onPhase?.("fault", load);
      await disturb(() => hold(SHARES.wrong));
      onPhase?.("healed", load);
      healed = await together();
      await hold(SHARES.after);
    }
    await load.stop();
    onPhase?.("settling", load);
    const ended = await together();
    const failure = ended.failure ?? healed?.failure ?? null;
    const ms = ended.ms === null ? null : (healed ?? ended).ms;
    onPhase?.("audit", load);
    const violations = [...load.violations, ...(await auditKeys(load.ledger, destinations))];
    return {
      drill: name,
      story: story(`${names.length} regions at ${directory}`),
      seed,
      seconds,
      counts: load.counts(),
      convergence: { ...ended, failure, ms },
      notes: [],
      violations,
      passed: violations.length === 0 && failure === null,
    };
  } finally {
    await load.stop();
    const requests = new RegionRequests();
    const url = destinations[0]?.url;
    for (const key of load.ledger.keys) if (url !== undefined) await requests.delete(url, key);
    requests.close();
  }
}

function placeOf(name: string, url: string): Destination {
  return { name, url, isUp: url !== "" };
}

/** Settles as `work` does, or rejects as soon as it is to be stopped. */
async function stoppable<T>(work: Promise<T>, stopped: AbortSignal): Promise<T> {
  stopped.throwIfAborted();
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(stopped.reason);
    stopped.addEventListener("abort", stop, { once: true });
    work.then(resolve, reject).finally(() => stopped.removeEventListener("abort", stop));
  });
}
