/** The faults of a storm, and how each is undone. */
import type { Load } from "@meridian/local-cluster";
import {
  type Cluster,
  getJson,
  type Line,
  type Program,
  type Region,
  until,
} from "@meridian/harness";

/** Undoes a fault. */
type Undo = () => void | Promise<void>;

/** One fault. */
export interface Fault {
  readonly name: string;
  /** The name of the process or line that the fault hits. Nothing has two faults at a time. */
  readonly victim: string;
  readonly strike: () => Undo | Promise<Undo>;
}

/** The region and the directory, by its index in the order of preference, that faults of this round hit. */
export interface Aim {
  readonly region: Region;
  readonly directory: number;
}

/** How long a region may take to hand over its writes, in milliseconds. */
const HAND_OVER_MS = 20_000;

/** How long a copy may take to be found out, in milliseconds. One that is not, because it is at another directory than the original was, gets no clients any more. */
const FINDING_MS = 20_000;

/** All faults for that region and that directory. A fault that is to happen twice as often is in the list twice. */
export function faultsOf(cluster: Cluster, load: Load, aim: Aim): readonly Fault[] {
  const { region, directory } = aim;
  const station = cluster.directories[directory];
  const way = region.lines.get(directory);
  if (station === undefined || way === undefined) throw new Error(`No directory ${directory}`);
  const process = `process of ${region.name}`;
  const line = `line of ${region.name} to ${station.name}`;
  const kill: Fault = { name: "kill a region", victim: process, strike: () => killed(region) };
  return [
    kill,
    kill,
    { name: "halt a region", victim: process, strike: () => halted(region.program) },
    { name: "restore a region", victim: process, strike: () => setBack(region, load) },
    { name: "cut a line", victim: line, strike: () => broken([way], (each) => each.cut()) },
    {
      name: "black-hole a line",
      victim: line,
      strike: () => broken([way], (each) => each.blackHole()),
    },
    {
      name: "stop what a region sends",
      victim: line,
      strike: () => broken([way], (each) => each.blackHole("to-directory")),
    },
    {
      name: "stop what a region hears",
      victim: line,
      strike: () => broken([way], (each) => each.blackHole("from-directory")),
    },
    {
      name: "kill a directory",
      victim: station.name,
      strike: async () => {
        await cluster.killDirectory(directory);
        return () => cluster.startDirectory(directory);
      },
    },
    { name: "halt a directory", victim: station.name, strike: () => halted(station.program) },
    ...betweenDirectories(cluster, station.lines),
  ];
}

function betweenDirectories(
  { directories }: Cluster,
  ways: ReadonlyMap<number, Line>,
): readonly Fault[] {
  if (directories.length === 1) return [];
  const all = directories.flatMap(({ lines }) => [...lines.values()]);
  const victim = "lines between directories";
  return [
    {
      name: "split the directories",
      victim,
      strike: () => broken(all, (each) => each.blackHole()),
    },
    {
      name: "stop what a directory hears of others",
      victim,
      strike: () => broken([...ways.values()], (each) => each.blackHole("from-directory")),
    },
  ];
}

function broken(lines: readonly Line[], breakOne: (line: Line) => void): Undo {
  for (const line of lines) breakOne(line);
  return () => {
    for (const line of lines) line.heal();
  };
}

async function killed(region: Region): Promise<Undo> {
  await region.kill();
  return () => region.start();
}

function halted(program: Program): Undo {
  program.halt();
  return () => program.resume();
}

/**
 * Copies a region's data now and puts the copy back later. Writes that only this disk has would be lost, and no guarantee says otherwise;
 * therefore the region first hands over all its writes, and is not set back if it cannot. What clients write to a copy that no directory has found out
 * may be written anew once it is, and then loses to what the original has written: so they keep away until then.
 */
async function setBack(region: Region, load: Load): Promise<Undo> {
  await region.kill();
  region.backUp();
  await region.start();
  return async () => {
    await load.avoid(region.name);
    const original = await handedOver(region);
    if (original !== undefined) {
      await region.kill();
      region.restore();
      await region.start();
      if (!(await isFoundOut(region, original))) return;
    }
    load.readmit(region.name);
  };
}

/** What a region says of its outbox in `/status`. */
interface Outbox {
  readonly incarnation: number;
  readonly outboxThrough: number;
  readonly outboxPending: number;
}

async function outboxOf({ url }: Region): Promise<Outbox> {
  const { replica } = await getJson<{ replica: Outbox }>(`${url}/status`);
  return replica;
}

/** Waits until a region has handed everything over. Returns its outbox then; undefined if it cannot. */
async function handedOver(region: Region): Promise<Outbox | undefined> {
  let found: Outbox | undefined;
  const probe = async (): Promise<boolean> => {
    found = await outboxOf(region);
    return found.outboxPending === 0;
  };
  const said = `${region.name} has handed everything over`;
  const isDone = await until(said, probe, HAND_OVER_MS).catch(() => false);
  return isDone ? found : undefined;
}

/** Waits until a copy has an identity of its own. One without writes to which the original has added nothing is no other than the original. */
async function isFoundOut(region: Region, original: Outbox): Promise<boolean> {
  const probe = async (): Promise<boolean> => {
    const { incarnation, outboxThrough } = await outboxOf(region);
    return incarnation !== original.incarnation || outboxThrough === original.outboxThrough;
  };
  return until(`${region.name} is found to be a copy`, probe, FINDING_MS).catch(() => false);
}
