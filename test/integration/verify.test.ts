/** `meridian verify` against real directories and regions. */
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { runCli } from "@meridian/cli";
import type { RunningDirectory } from "@meridian/directory";
import type { RunningRegion } from "@meridian/region";
import type Database from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { request, startSmallDirectory, startSmallRegion, until } from "@meridian/harness";

const Sqlite = createRequire(new URL("../../packages/store/package.json", import.meta.url))(
  "better-sqlite3",
) as typeof Database;

let folder: string;
let directory: RunningDirectory;
let regions: Map<string, RunningRegion>;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "meridian-verify-"));
  directory = await startSmallDirectory({ data: join(folder, "directory") });
  regions = new Map();
  for (const id of ["oslo", "perth"]) await add(id);
});

afterEach(async () => {
  await Promise.all([...regions.values()].map((region) => region.stop()));
  await directory.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Starts a region; `url` is its `--url`. */
async function add(id: string, url: string | null = null): Promise<void> {
  const region = await startSmallRegion({
    id,
    url,
    data: join(folder, id),
    directory: [directory.url],
  });
  regions.set(id, region);
  await until(`${id} is ready`, () => region.status === "ready");
}

/**
 * Changes the rows of `keys` in the database of a region while the region is stopped. It must have them in its table before it stops: what it has
 * not folded yet it leaves in its journal.
 */
async function tamper(id: string, change: string, keys: readonly string[]): Promise<void> {
  const path = join(folder, id, "region.db");
  await until(`${id} has the rows in its table`, () => countRows(path, keys) === keys.length);
  await regions.get(id)?.stop();
  const database = new Sqlite(path);
  const { changes } = database.prepare(`${change} WHERE ${oneOf(keys)}`).run(keys);
  expect(changes).toBe(keys.length);
  database.close();
  await add(id);
}

function countRows(path: string, keys: readonly string[]): number {
  const database = new Sqlite(path, { readonly: true });
  const rows = database.prepare(`SELECT 1 FROM entries WHERE ${oneOf(keys)}`).all(keys);
  database.close();
  return rows.length;
}

function oneOf(keys: readonly string[]): string {
  return `key IN (${keys.map(() => "?").join(", ")})`;
}

async function set(id: string, keys: readonly string[]): Promise<void> {
  for (let at = 0; at < keys.length; at += 1_000) {
    const entries = keys.slice(at, at + 1_000).map((key) => ({ key, value: "v" }));
    const body = JSON.stringify({ entries, ack: "all", timeout: "30s" });
    const answer = await request(`${regions.get(id)?.url}/batch/set`, { method: "POST", body });
    expect(answer.status).toBe(200);
    await answer.body?.cancel();
  }
}

interface Verdict {
  readonly exitCode: number;
  readonly text: string;
}

const verify = (...flags: string[]): Promise<Verdict> => run("verify", ...flags);

async function run(...command: string[]): Promise<Verdict> {
  let text = "";
  const write = (data: string | Uint8Array): unknown => (text += String(data));
  // If a flag is given twice, the last one counts, so a test can name another directory.
  const argv = [...command.slice(0, 1), "--directory", directory.url, ...command.slice(1)];
  const io = { stdout: { write }, stderr: { write }, stdin: undefined, env: {}, colour: false };
  return { exitCode: await runCli(argv, io), text };
}

const keysUpTo = (count: number): string[] => Array.from({ length: count }, (_, n) => `k ${n}/é`);

describe("meridian verify", () => {
  it("proves that everyone holds the same, deleted and expired entries included", async () => {
    await set("oslo", keysUpTo(3_000));
    await request(`${regions.get("perth")?.url}/cache/k%205%2F%C3%A9?ack=all`, {
      method: "DELETE",
    });
    const { exitCode, text } = await verify();
    expect(text).toMatch(/^directory +3000 +same\noslo +3000 +same\nperth +3000 +same$/m);
    expect(text).toContain("Everyone holds the same: 2999 entries, 1 deleted.");
    expect(exitCode).toBe(0);
  });

  it("reports no key that is still being replicated as a difference", async () => {
    await set("oslo", keysUpTo(500));
    let writing = true;
    const writers = ["oslo", "perth"].map(async (id) => {
      for (let turn = 0; writing; turn += 1) await set(id, ["hot", `${id} ${turn}`, `k ${turn}/é`]);
    });
    const verdicts = [await verify(), await verify()];
    writing = false;
    await Promise.all(writers);
    expect(verdicts.map(({ text }) => text).join()).not.toContain("differ");
    expect(verdicts.map(({ exitCode }) => exitCode)).toEqual([0, 0]);
  });

  it("names every key that differs, with the stamp that each party has, and exits 1", async () => {
    await set("oslo", keysUpTo(3_000));
    await tamper("perth", "DELETE FROM entries", ["k 7/é"]);
    await tamper("oslo", "UPDATE entries SET time = time + 1", ["k 1999/é", "k 8/é"]);
    const { exitCode, text } = await verify("--json");
    expect(exitCode).toBe(1);
    const { parties, ...report } = JSON.parse(text);
    expect(report).toMatchObject({ equal: false, differing: 3 });
    expect(report.keys.map(({ key }: { key: string }) => key)).toEqual([
      "k 1999/é",
      "k 7/é",
      "k 8/é",
    ]);
    const [newer, lost] = report.keys;
    expect(newer.stamps.oslo).not.toBe(newer.stamps.directory);
    expect(newer.stamps.perth).toBe(newer.stamps.directory);
    expect(lost.stamps).toMatchObject({ perth: null, oslo: lost.stamps.directory });
    expect(parties).toMatchObject([
      { name: "directory", entries: 3_000, differing: 2 },
      { name: "oslo", entries: 3_000, differing: 0 },
      { name: "perth", entries: 2_999, differing: 3 },
    ]);
    expect((await verify("--limit", "1")).text).toContain("… and 2 more keys\n");
  });
});

describe("meridian verify, if a party cannot be asked", () => {
  it("names a node that does not answer, compares the others, and exits 4", async () => {
    await set("oslo", ["a"]);
    await add("elba", "http://127.0.0.1:1");
    const { exitCode, text } = await verify();
    expect(text).toMatch(/^elba +- +not reached$/m);
    expect(text).toMatch(/^perth +1 +same$/m);
    expect(text).toMatch(/^elba \(http:.*\) could not be asked: /m);
    expect(exitCode).toBe(4);
  });

  it("names a region of another cluster that answers at the URL of a node, and exits 4", async () => {
    await set("oslo", ["a"]);
    const data = mkdtempSync(join(folder, "foreign-"));
    const cluster = "foreign";
    const elsewhere = await startSmallDirectory({ data: join(data, "directory"), cluster });
    const at = { id: "elba", data: join(data, "elba"), cluster };
    const foreign = await startSmallRegion({ ...at, directory: [elsewhere.url] });
    try {
      await add("elba", foreign.url);
      const { exitCode, text } = await verify();
      expect(text).toMatch(/^elba +- +not reached$/m);
      expect(text).toContain(
        `Expected one of cluster \`test\` at ${foreign.url}, got one of \`foreign\``,
      );
      expect(exitCode).toBe(4);
    } finally {
      await foreign.stop();
      await elsewhere.stop();
    }
  });

  it("exits 4 if no directory answers, or the directory knows no node", async () => {
    const gone = await verify("--directory", "http://127.0.0.1:1");
    expect(gone).toMatchObject({ exitCode: 4 });
    await Promise.all([...regions.values()].map((region) => region.stop()));
    await until("nobody is registered", async () => (await verify()).text.includes("got none"));
    expect(await verify()).toMatchObject({ exitCode: 4 });
  });
});

describe("an entry whose value one party has emptied", () => {
  it("is reported if it was emptied before its expiry, and not if it had expired", async () => {
    const oslo = regions.get("oslo")?.url;
    for (const [key, ttl] of [
      ["alive", "30m"],
      ["over", "1ms"],
    ]) {
      const url = `${oslo}/cache/${key}?ttl=${ttl}&ack=all`;
      expect((await request(url, { method: "PUT", body: "v" })).status).toBe(200);
    }
    expect(await verify()).toMatchObject({ exitCode: 0 });
    const emptied = "UPDATE entries SET value = x'', content_type = '', deleted = 1";
    await tamper("perth", emptied, ["over"]);
    expect(await verify()).toMatchObject({ exitCode: 0 });
    await tamper("perth", emptied, ["alive"]);
    const { exitCode, text } = await verify("--json");
    expect(exitCode).toBe(1);
    const { keys } = JSON.parse(text) as { readonly keys: readonly object[] };
    expect(keys).toMatchObject([{ key: "alive", stamps: { perth: null } }]);
  });
});

describe("a node that is gone", () => {
  it("is missed until it is forgotten, and verify exits 4 until then", async () => {
    await set("oslo", ["a"]);
    await regions.get("perth")?.stop();
    const list = async (): Promise<string> => (await run("nodes")).text;
    await until("perth is gone", async () => /^perth +gone, \d+ s /m.test(await list()));
    const { exitCode, text } = await verify();
    expect(text).toMatch(/^perth +- +gone, \d+ s$/m);
    expect(text).toContain("Missed: perth.");
    expect(text).not.toContain("Everyone");
    expect(exitCode).toBe(4);
    expect(await run("nodes", "forget", "oslo")).toMatchObject({ exitCode: 1 });
    expect(await run("nodes", "forget", "perth")).toMatchObject({ exitCode: 0 });
    expect(await list()).not.toContain("perth");
    expect(await verify()).toMatchObject({ exitCode: 0 });
    expect((await run("nodes", "forget", "perth")).text).toContain("NODE_NOT_FOUND");
  });
});
