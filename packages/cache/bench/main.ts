/**
 * `npm run bench`: one process per library and size, the libraries taking turns, the median of the
 * processes. Prints the tables, and writes `results.json`, `results.svg` and the numbers in the README,
 * which hold one measurement for each major version of Node.js. Give sizes or `extremes` as arguments to
 * measure only those, and to keep the other results.
 */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { chart, type Bar } from "./chart.ts";
import { libraries } from "./libraries.ts";

type Numbers = Record<string, number>;

/** By size: how many processes for the two that are compared. */
const ROUNDS: Record<string, number> = { 1_000: 3, 100_000: 3, 1_000_000: 3 };
const OURS = "meridian";
const THEIRS = "lru-cache ttl";
/** The others are measured once, not above this size, and are given up after some time. */
const OTHERS_SIZE_MAX = 1_000;
const OTHERS_TIMEOUT_MS = 20_000;

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** Nothing, if another library than the two takes too long. */
function run(library: string, what: string): Numbers {
  const flags = ["--import", "tsx", "--expose-gc", here("worker.ts"), library, what];
  const compared = library === OURS || library === THEIRS;
  try {
    const timeout = compared ? undefined : OTHERS_TIMEOUT_MS;
    const printed = execFileSync(process.execPath, flags, { encoding: "utf8", timeout });
    return JSON.parse(printed) as Numbers;
  } catch (error) {
    if (compared) throw error;
    return {};
  }
}

function medians(runs: readonly Numbers[]): Numbers {
  const names = Object.keys(runs[0] ?? {});
  const middle = (name: string): number =>
    runs.map((one) => one[name] as number).toSorted((a, b) => a - b)[runs.length >> 1] as number;
  return Object.fromEntries(names.map((name) => [name, middle(name)]));
}

/** The libraries take turns, so that a slow minute of the machine hits all. */
function measureSize(size: string): Record<string, Numbers> {
  const runs: Record<string, Numbers[]> = {};
  for (let round = 0; round < (ROUNDS[size] ?? 1); round++) {
    for (const library of Object.keys(libraries)) {
      const compared = library === OURS || library === THEIRS;
      const other = round === 0 && Number(size) <= OTHERS_SIZE_MAX;
      if (compared || other) (runs[library] ??= []).push(run(library, size));
    }
  }
  return Object.fromEntries(Object.entries(runs).map(([library, all]) => [library, medians(all)]));
}

function table(size: string, results: Record<string, Numbers>): string {
  const names = Object.keys(results[OURS] ?? {});
  const rows = names.map((name) => {
    const cells = Object.values(results).map((one) => one[name]?.toFixed(0) ?? "–");
    const ratio = (results[THEIRS]?.[name] as number) / (results[OURS]?.[name] as number);
    return `| ${name} | ${cells.join(" | ")} | ${ratio.toFixed(2)}× |`;
  });
  return [
    `| ${Number(size).toLocaleString("en")} entries, ns | ${Object.keys(results).join(" | ")} | ratio |`,
    `|---|${"---|".repeat(Object.keys(results).length + 1)}`,
    ...rows,
  ].join("\n");
}

function extremesTable(results: Record<string, Numbers>): string {
  const rows = Object.keys(results[OURS] ?? {}).map((name) => {
    const cells = [OURS, THEIRS].map((library) => results[library]?.[name]?.toFixed(2) ?? "–");
    return `| ${name} | ${cells.join(" | ")} |`;
  });
  return [`| 1,000,000 entries | ${OURS} | ${THEIRS} |`, "|---|---|---|", ...rows].join("\n");
}

interface Results {
  machine: string;
  speed: Record<string, Record<string, Numbers>>;
  extremes: Record<string, Numbers>;
}

function chartOf({ machine, speed }: Results): string {
  const groups = Object.keys(speed["1000"]?.[OURS] ?? {}).map((name): [string, Bar[]] => [
    name,
    Object.keys(speed).map((size) => ({
      label: Number(size).toLocaleString("en"),
      ratio: (speed[size]?.[THEIRS]?.[name] as number) / (speed[size]?.[OURS]?.[name] as number),
    })),
  ]);
  return chart(`Times as fast as lru-cache with ttl (${machine})`, groups);
}

const asked = process.argv.slice(2);
const all = asked.length === 0 ? [...Object.keys(ROUNDS), "extremes"] : asked;
/** By major version of Node.js. */
const measured = JSON.parse(readFileSync(here("results.json"), "utf8")) as Record<string, Results>;
const version = Number.parseInt(process.versions.node, 10);
const results = (measured[version] ??= { machine: "", speed: {}, extremes: {} });
results.machine = `Node ${process.version}, ${cpus()[0]?.model ?? "unknown processor"}`;
for (const what of all) {
  if (what === "extremes") {
    const ofLibrary = (library: string): [string, Numbers] => [
      library,
      medians([1, 2, 3].map(() => run(library, what))),
    ];
    results.extremes = Object.fromEntries([OURS, THEIRS].map(ofLibrary));
    console.log(extremesTable(results.extremes));
  } else {
    results.speed[what] = measureSize(what);
    console.log(`${table(what, results.speed[what])}\n`);
  }
}
const numbers = Object.values(measured).flatMap(({ machine, speed, extremes }) => [
  `### ${machine}`,
  ...Object.entries(speed).map(([size, one]) => table(size, one)),
  extremesTable(extremes),
]);
writeFileSync(here("results.json"), `${JSON.stringify(measured, null, 2)}\n`);
// The oldest version, which objects with such keys begin with.
writeFileSync(here("results.svg"), chartOf(Object.values(measured)[0] as Results));
const readme = readFileSync(here("../README.md"), "utf8");
const block = ["<!-- numbers -->", ...numbers, "<!-- end -->"].join("\n\n");
writeFileSync(
  here("../README.md"),
  readme.replace(/<!-- numbers -->[^]*<!-- end -->/, () => block),
);
