/** The commands `meridian drill list` and `meridian drill run`, whose name may be left out. */
import { findPrograms, PLACES, type NodePrograms } from "@meridian/local-cluster";
import { MeridianError } from "@meridian/protocol";
import { systemRandom } from "@meridian/runtime";

import { formatDrill, formatSummary, type DrillReport } from "../drill/drill-report.ts";
import type { Drill } from "../drill/drill.ts";
import { DRILLS } from "../drill/drills.ts";
import { runAgainst, runDrill, type DrillOptions } from "../drill/run-drills.ts";
import { EXIT } from "../exit-codes.ts";
import type { CliIo } from "../io.ts";
import { directoryUrl } from "../place.ts";
import { formatTable } from "../table.ts";
import { printJson } from "./entries.ts";

/** The options of `drill run`. */
export interface DrillFlags {
  readonly seconds?: string | undefined;
  readonly rate?: string | undefined;
  readonly seed?: string | undefined;
  readonly regions?: string | undefined;
  readonly keep?: boolean | undefined;
  /** The directory of a running cluster. */
  readonly against?: string | undefined;
  readonly json?: boolean | undefined;
}

const STOP_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** `meridian drill list`. */
export function listDrills(io: CliIo): number {
  io.stdout.write(drillTable());
  return EXIT.ok;
}

function drillTable(): string {
  const rows = DRILLS.map(({ name, story }) => [name, story("a region")]);
  return formatTable(["DRILL", "WHAT HAPPENS"], rows);
}

/**
 * `meridian drill run`: runs the named drills, or `all`. Exit code 0 if all passed, otherwise 1. Without a name it lists the
 * drills and exits with 2, so that a script does not take that for success.
 */
export async function runDrills(
  names: readonly string[],
  flags: DrillFlags,
  io: CliIo,
  given?: NodePrograms,
): Promise<number> {
  if (names.length === 0 && flags.against === undefined) {
    io.stderr.write("Expected the names of drills, or `all`. There are:\n\n");
    io.stderr.write(drillTable());
    return EXIT.usage;
  }
  const drills = drillsOf(names);
  const numbers = readNumbers(flags);
  if (flags.against !== undefined && names.some((name) => name !== "steady")) {
    const said = "only `steady`: the others need programs that they may kill";
    throw new MeridianError("INVALID_ARGUMENT", `Expected with \`--against\` ${said}`);
  }
  const stop = new AbortController();
  const onSignal = (name: string): void => {
    stop.abort(new MeridianError("GOING_AWAY", `The drill was ended by ${name}`));
  };
  for (const name of STOP_SIGNALS) process.on(name, onSignal);
  const say = (line: string): void => void io.stderr.write(`${line}\n`);
  const common = { ...numbers, stopped: stop.signal, say };
  try {
    if (flags.against !== undefined) {
      const directory = directoryUrl({ directory: flags.against }, io);
      return tell([await runAgainst(directory, common)], flags, io);
    }
    const programs = given ?? (await findPrograms());
    const options = { ...common, keep: flags.keep === true, programs };
    return tell(await runAll(drills, options, flags, io), flags, io);
  } finally {
    for (const name of STOP_SIGNALS) process.off(name, onSignal);
  }
}

async function runAll(
  drills: readonly Drill[],
  options: DrillOptions,
  flags: DrillFlags,
  io: CliIo,
): Promise<readonly DrillReport[]> {
  const reports: DrillReport[] = [];
  for (const drill of drills) {
    options.stopped.throwIfAborted();
    const report = await runDrill(drill, options);
    reports.push(report);
    if (flags.json !== true) io.stdout.write(formatDrill(report));
  }
  return reports;
}

function tell(reports: readonly DrillReport[], flags: DrillFlags, io: CliIo): number {
  if (flags.json === true) printJson(io, { drills: reports });
  else {
    if (flags.against !== undefined)
      for (const report of reports) io.stdout.write(formatDrill(report));
    io.stdout.write(formatSummary(reports));
    io.stdout.write(`Seed ${reports[0]?.seed ?? 0}.\n`);
  }
  return reports.every(({ passed }) => passed) ? EXIT.ok : EXIT.failure;
}

function drillsOf(names: readonly string[]): readonly Drill[] {
  if (names.length === 1 && names[0] === "all") return DRILLS;
  return names.map((name) => {
    const found = DRILLS.find((drill) => drill.name === name);
    if (found !== undefined) return found;
    const known = DRILLS.map((drill) => `\`${drill.name}\``).join(", ");
    throw new MeridianError("INVALID_ARGUMENT", `Expected drills out of ${known}, got \`${name}\``);
  });
}

function readNumbers(
  flags: DrillFlags,
): Pick<DrillOptions, "seconds" | "rate" | "seed" | "regions"> {
  const { seconds = "6", rate = "200", regions = "3" } = flags;
  const seed = flags.seed ?? String(Math.floor(systemRandom.next() * 2 ** 32));
  return {
    seconds: readWhole("--seconds", seconds, 1, 3_600),
    rate: readWhole("--rate", rate, 1, 10_000),
    seed: readWhole("--seed", seed, 0, 2 ** 32 - 1),
    regions: readWhole("--regions", regions, 1, PLACES.length),
  };
}

function readWhole(name: string, text: string, min: number, max: number): number {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : NaN;
  if (value >= min && value <= max) return value;
  throw new MeridianError(
    "INVALID_ARGUMENT",
    `Expected \`${name}\` to be a whole number from ${min} to ${max}, got \`${text}\``,
  );
}
