/**
 * Meridian beside what a user would pick instead, in one run, by turns: `npm run bench:peers`.
 *
 * Uses what is installed of Debian's packages: apt install wrk redis-server webdis nginx nats-server
 *
 *   --only get,put,nearest,replication,memory,catch-up,kill
 *   --quick            a tenth of the work, for a look
 *   --out <folder>     results.json, charts and tables go there (default: test/bench/peers/results, and packages/BENCHMARKS.md)
 *
 * Figures of rows that are not measured stay. Exit code 1 if a contender has failed or lost an acknowledged write.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, statfsSync, writeFileSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";

import { ROOT } from "@meridian/harness";

import { makeBenchCredentials } from "../credentials.ts";
import { HEADS } from "./heads.ts";
import { installedPeers, PEERS } from "./installed.ts";
import { peerRows, type PeersExtent } from "./peer-rows.ts";
import { builtPrograms } from "./programs.ts";
import { chartOf, documentOf, tableOf, withPeers, type RowRecord } from "./results.ts";
import { runRow } from "./rounds.ts";
import { inWorkplace } from "./workplace.ts";

const OUT = join(ROOT, "test/bench/peers/results");
const DOCUMENT = join(ROOT, "packages/BENCHMARKS.md");
const TMPFS = 0x0102_1994;

const WHOLE = {
  rounds: 3,
  seconds: 3,
  connections: 50,
  setsPerSecond: 1_000,
  missed: 100_000,
  entries: 1_000_000,
} as const satisfies PeersExtent;
const QUICK = { ...WHOLE, rounds: 2, seconds: 1, missed: 10_000, entries: 50_000 } as const;

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    quick: { type: "boolean", default: false },
    out: { type: "string", default: OUT },
  },
});
const out = resolve(values.out);
const extent = values.quick ? QUICK : WHOLE;
const tell = (line: string): void => void process.stdout.write(`${line}\n`);
const loadNow = (): number => loadavg()[0] ?? NaN;

/** The records of earlier runs. */
function recordsSoFar(): Record<string, RowRecord> {
  const file = join(out, "results.json");
  if (!existsSync(file)) return {};
  return JSON.parse(readFileSync(file, "utf8")) as Record<string, RowRecord>;
}

function write(records: Readonly<Record<string, RowRecord>>): void {
  mkdirSync(out, { recursive: true });
  const file = join(out, "results.json");
  writeFileSync(file, `${JSON.stringify(records, null, 2)}\n`);
  for (const head of HEADS) {
    const record = records[head.name];
    if (record !== undefined) writeFileSync(join(out, `${head.name}.svg`), chartOf(head, record));
  }
  if (out !== OUT) {
    writeFileSync(
      join(out, "peers.md"),
      documentOf(HEADS, records, (name) => `${name}.svg`),
    );
    return;
  }
  const path = (name: string): string => `../test/bench/peers/results/${name}.svg`;
  const part = documentOf(HEADS, records, path);
  writeFileSync(DOCUMENT, withPeers(readFileSync(DOCUMENT, "utf8"), part));
  execFileSync(join(ROOT, "node_modules/.bin/oxfmt"), [file, DOCUMENT]);
}

/** Whether a contender has failed or lost an acknowledged write. */
function isBad({ samples, failures }: RowRecord): boolean {
  const lost = Object.values(samples).flatMap((values) => values["lost"] ?? []);
  return Object.keys(failures).length > 0 || lost.some((count) => count > 0);
}

async function main(): Promise<boolean> {
  const names = HEADS.map(({ name }) => name);
  const asked = values.only?.split(",") ?? names;
  const unknown = asked.find((name) => !names.includes(name));
  if (unknown !== undefined)
    throw new Error(`Expected a row (${names.join(", ")}), got ${unknown}`);
  const peers = installedPeers();
  for (const { name } of PEERS) {
    tell(peers.has(name) ? `${name} ${peers.get(name)}` : `${name} is not installed: skipped`);
  }
  const { version } = JSON.parse(readFileSync(join(ROOT, "apps/region/package.json"), "utf8")) as {
    readonly version: string;
  };
  const commit = execFileSync("git", ["rev-parse", "--short", "HEAD"], { cwd: ROOT }).toString();
  const versions = {
    Meridian: `${version} (${commit.trim()})`,
    "Node.js": process.versions.node,
    ...Object.fromEntries(peers),
  };
  const records = recordsSoFar();
  let bad = false;
  await inWorkplace(async (workplace) => {
    const credentials = await makeBenchCredentials(workplace.folder("credentials"));
    const parts = { workplace, programs: builtPrograms(ROOT), credentials, extent };
    const rows = peerRows(parts, (peer) => peers.has(peer));
    for (const row of rows.filter(({ name }) => asked.includes(name))) {
      const before = loadNow();
      const result = await runRow(row, tell);
      const processors = cpus();
      const record: RowRecord = {
        ...result,
        date: new Date().toISOString().slice(0, 10),
        machine: `${processors.length} × ${processors[0]?.model ?? "unknown processor"}`,
        processors: processors.length,
        versions,
        extent,
        load: [before, loadNow()],
        disk: statfsSync(tmpdir()).type === TMPFS ? "tmpfs" : "a disk",
        skipped: row.skipped,
      };
      records[row.name] = record;
      bad ||= isBad(record);
      const head = HEADS.find(({ name }) => name === row.name);
      if (head !== undefined) tell(`\n${head.title}\n${tableOf(head, record)}\n`);
      // After each row: what has been measured is kept, should a later row come to nothing.
      write(records);
    }
    await credentials.close();
  });
  return bad;
}

process.exitCode = (await main()) ? 1 : 0;
