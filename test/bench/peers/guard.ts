/**
 * Compares two versions of Meridian in one run, round by round in turn: `npm run bench:guard`. Needs `wrk`.
 *
 *   --before <folder>   a checkout that is built, or a folder of tarballs (default: the newest folder of test/releases)
 *   --after <folder>    the same (default: this checkout)
 *   --only get,put-process,put-power,replication,catch-up
 *   --rounds 5 --seconds 3 --connections 50 --rate 1000 --missed 100000 --ratio-max 1.05
 *
 * Exit code 1 if a median ratio says that the second version costs more than `--ratio-max` times as much; 2 if something failed.
 */
import { loadavg } from "node:os";
import { parseArgs } from "node:util";

import { ROOT } from "@meridian/harness";

import { newestRelease } from "../../upgrade/kept-release.ts";
import { guardRows } from "./guard-rows.ts";
import { programsIn } from "./programs.ts";
import { runRow } from "./rounds.ts";
import { compare, comparisonLines, type Comparison } from "./verdict.ts";
import { inWorkplace } from "./workplace.ts";

const { values } = parseArgs({
  options: {
    before: { type: "string", default: newestRelease() ?? "" },
    after: { type: "string", default: ROOT },
    only: { type: "string" },
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "3" },
    connections: { type: "string", default: "50" },
    rate: { type: "string", default: "1000" },
    missed: { type: "string", default: "100000" },
    "ratio-max": { type: "string", default: "1.05" },
  },
});
const extent = {
  rounds: Number(values.rounds),
  seconds: Number(values.seconds),
  connections: Number(values.connections),
  setsPerSecond: Number(values.rate),
  missed: Number(values.missed),
};
const tell = (line: string): void => void process.stdout.write(`${line}\n`);
const load = (): string =>
  loadavg()
    .map((each) => each.toFixed(1))
    .join(" ");

process.exitCode = await inWorkplace(async (workplace) => {
  tell(`before: ${values.before}\nafter: ${values.after}\nload of this machine: ${load()}`);
  const versions = {
    before: programsIn(workplace, values.before),
    after: programsIn(workplace, values.after),
  };
  const rows = guardRows(workplace, versions, extent);
  const asked = values.only?.split(",") ?? rows.map(({ name }) => name);
  const unknown = asked.find((name) => !rows.some((row) => row.name === name));
  if (unknown !== undefined) throw new Error(`Expected the name of a row, got \`${unknown}\``);
  const comparisons: Comparison[] = [];
  let failed = false;
  for (const row of rows.filter(({ name }) => asked.includes(name))) {
    const { samples, failures } = await runRow(row, tell);
    failed ||= Object.keys(failures).length > 0;
    comparisons.push(...compare(row.name, samples, Number(values["ratio-max"])));
  }
  tell(`load of this machine: ${load()}\n`);
  for (const line of comparisonLines(comparisons)) tell(line);
  if (failed) return 2;
  return comparisons.some(({ isWorse }) => isWorse) ? 1 : 0;
});
