/**
 * Backups of a large store by real processes: how long one takes and what that costs requests, and `kill -9` of backup, program, restore and import at
 * several moments each.
 *
 *   npm run hunt:backup -- [--mebibytes 1024] [--folder <where there is room for four times as much>]
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { fillStore } from "../support/filled-stores.ts";
import { GetsAndSets } from "./load.ts";
import { digestOf, meridian, meridianAtLast, sizeOf, startAlone } from "./programs.ts";

const { values } = parseArgs({
  options: {
    mebibytes: { type: "string", default: "64" },
    folder: { type: "string", default: tmpdir() },
  },
});
const VALUE_BYTES = 4_096;
const MEBIBYTE = 1024 * 1024;
const CALM_MS = 10_000;
const keys = Math.round((Number(values.mebibytes) * MEBIBYTE) / VALUE_BYTES);
const folder = mkdtempSync(join(values.folder, "meridian-backup-"));
const at = (name: string): string => join(folder, name);
const tell = (line: string): void =>
  void process.stdout.write(`${new Date().toISOString().slice(11, 19)} ${line}\n`);
const expectThat = (what: string, holds: boolean): void => {
  if (!holds) throw new Error(`Expected that ${what}`);
};

const source = at("source");
let region = await startAlone(source);
const running = new Set([region]);

try {
  await region.stop();
  fillStore({ data: source, kind: "region" }, { keys, valueBytes: VALUE_BYTES }, Date.now());
  region = await started(source);
  await measure();
  const whole = await killBackups();
  await killRestores(whole);
  await killImports();
} finally {
  for (const program of running) await program.kill();
  rmSync(folder, { recursive: true, force: true });
}

async function started(data: string): Promise<typeof region> {
  const program = await startAlone(data);
  running.add(program);
  return program;
}

/** What a backup takes, and requests meanwhile. */
async function measure(): Promise<void> {
  const load = await GetsAndSets.start(region.url, keys);
  await new Promise((resolve) => setTimeout(resolve, CALM_MS));
  tell(`before: ${load.p99()}`);
  const startedMs = performance.now();
  await meridianAtLast(["backup", "region", region.url, "--out", at("measured")]);
  const seconds = (performance.now() - startedMs) / 1_000;
  const mebibytes = sizeOf(at("measured")) / MEBIBYTE;
  tell(
    `backup of ${mebibytes.toFixed(0)} MiB: ${seconds.toFixed(1)} s, ${(mebibytes / seconds).toFixed(0)} MiB/s`,
  );
  tell(`meanwhile: ${load.p99()}`);
  await load.stop();
  rmSync(at("measured"));
}

/** Kills the command, and the program, at several moments. Returns a backup that is whole. */
async function killBackups(): Promise<string> {
  const before = await digestOf(region);
  const database = join(source, "region.db");
  const bytes = sizeOf(database);
  const copying = (): boolean => existsSync(`${database}-backup`);
  const out = at("killed.backup");
  const fetched = (share: number) => () => sizeOf(`${out}.part`) > share * bytes;
  const moments: Readonly<Record<string, () => boolean>> = {
    "while the program copies": copying,
    "at the first bytes": fetched(0),
    "at a third": fetched(0.33),
    "near the end": fetched(0.95),
  };
  for (const [moment, killOnce] of Object.entries(moments)) {
    rmSync(out, { force: true });
    const command = ["backup", "region", region.url, "--out", out];
    const { code } = await meridian(command, { killOnce });
    expectThat(`backup is killed ${moment}`, code === null);
    expectThat("a part is not taken for a backup", !existsSync(out));
    const part = sizeOf(`${out}.part`);
    const tookMs = await meridianAtLast(command);
    expectThat("what was resumed is whole", (await meridian(["backup", "verify", out])).code === 0);
    tell(
      `backup killed ${moment}, with ${part} bytes: done by the same command after ${tookMs.toFixed(0)} ms`,
    );
  }
  // The program itself dies.
  const other = at("died.backup");
  const asking = meridian(["backup", "region", region.url, "--out", other], {
    killOnce: () => copying() && sizeOf(`${database}-backup`) > 0,
  });
  await asking;
  await region.kill();
  region = await started(source);
  expectThat("what a killed program has copied is gone", !copying());
  const after = await digestOf(region);
  expectThat(
    "the source holds what it held",
    after.count === before.count && after.fingerprint === before.fingerprint,
  );
  await meridianAtLast(["backup", "region", region.url, "--out", other]);
  tell("program killed while it copied: holds the same, and is backed up by the same command");
  return other;
}

async function killRestores(backup: string): Promise<void> {
  const bytes = sizeOf(backup);
  // Stamps differ: a restored region sends what it has not heard of under a new identity.
  const [here, there] = [at("source.ndjson"), at("restored.ndjson")];
  await exported(region.url, "k", here);
  for (const share of [0, 0.5, 0.95]) {
    const data = at(`restored-${share}`);
    const command = ["restore", backup, "--data", data];
    const killOnce = (): boolean => sizeOf(join(data, "region.db-restoring")) > share * bytes;
    const { code } = await meridian(command, { killOnce });
    expectThat(`restore is killed at ${share}`, code === null);
    expectThat("a part is not taken for a database", !existsSync(join(data, "region.db")));
    await meridianAtLast(command);
    const restored = await started(data);
    await exported(restored.url, "k", there);
    expectThat("what was restored is what was backed up", isSame(here, there));
    await restored.kill();
    rmSync(data, { recursive: true });
    tell(`restore killed at ${share}: the same command restores everything`);
  }
}

async function killImports(): Promise<void> {
  const [file, again] = [at("all.ndjson"), at("again.ndjson")];
  await exported(region.url, "k0000", file);
  const total = readFileSync(file, "utf8").split("\n").length - 1;
  for (const share of [0, 0.4, 0.8]) {
    const target = await started(at(`imported-${share}`));
    const command = ["import", file, "--node", target.url];
    const killOnce = async (): Promise<boolean> => (await digestOf(target)).count > share * total;
    const { code } = await meridian(command, { killOnce });
    expectThat(`import is killed at ${share}`, code === null);
    const part = (await digestOf(target)).count;
    await meridianAtLast(command);
    await exported(target.url, "k0000", again);
    expectThat("what was imported is what was exported", isSame(file, again));
    await target.kill();
    tell(`import killed with ${part} of ${total} entries: the same command imports all`);
  }
}

/** Writes the keys and values of a region to a file. */
async function exported(url: string, prefix: string, into: string): Promise<void> {
  const { code, said } = await meridian(["export", prefix, "--node", url], { into });
  if (code !== 0) throw new Error(`Expected an export, got ${code}: ${said}`);
}

/** Whether two files have the same keys and values. Who writes an entry again gives it another ETag. */
function isSame(file: string, other: string): boolean {
  const [one, two] = [file, other].map((path) =>
    readFileSync(path, "utf8").replaceAll(/"etag":"[^"]*",/g, ""),
  );
  return one === two;
}
