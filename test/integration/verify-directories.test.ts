/** `meridian verify` against several directories that follow each other, over lines that can be cut. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { runCli } from "@meridian/cli";
import { startDirectory, type RunningDirectory } from "@meridian/directory";
import type { RunningRegion } from "@meridian/region";
import { silentLogger } from "@meridian/runtime";
import { afterEach, beforeEach, expect, it } from "vitest";
import { deleteValue, LinkProxy, putValue, startSmallRegion, until } from "@meridian/harness";

let folder: string;
let directories: RunningDirectory[];
/** The line from the first directory to the second, and the line back. */
let lines: LinkProxy[];
let regions: RunningRegion[];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "meridian-verify-"));
  lines = [await LinkProxy.listen(), await LinkProxy.listen()];
  directories = await Promise.all(
    lines.map(({ url }, index) =>
      startDirectory({
        host: "127.0.0.1",
        port: 0,
        data: join(folder, `directory-${index}`),
        cluster: "test",
        peer: [url],
        durability: "process",
        lagMax: 10_000,
        horizon: 3_600_000,
        logger: silentLogger,
      }),
    ),
  );
  const [toSecond, toFirst] = lines as [LinkProxy, LinkProxy];
  toSecond.target = urlOf(1);
  toFirst.target = urlOf(0);
  regions = [await start("oslo", 0), await start("perth", 1)];
});

afterEach(async () => {
  await Promise.all(regions.map((region) => region.stop()));
  await Promise.all(directories.map((directory) => directory.stop()));
  await Promise.all(lines.map((line) => line.close()));
  rmSync(folder, { recursive: true, force: true });
});

/** Starts a region that knows one directory only, the one with the index `directory`. */
async function start(id: string, directory: number): Promise<RunningRegion> {
  const region = await startSmallRegion({
    id,
    data: join(folder, id),
    directory: [urlOf(directory)],
  });
  await until(`${id} is ready`, () => region.status === "ready");
  return region;
}

function urlOf(directory: number): string {
  return directories[directory]?.url ?? "";
}

async function set(region: number, ...keys: readonly string[]): Promise<void> {
  const url = regions[region]?.url ?? "";
  await Promise.all(keys.map((key) => putValue(url, key, "v", { ack: "directory" })));
}

async function verify(...flags: string[]): Promise<{ exitCode: number; text: string }> {
  let text = "";
  const write = (data: string | Uint8Array): unknown => (text += String(data));
  const io = { stdout: { write }, stderr: { write }, stdin: undefined, env: {}, colour: false };
  return { exitCode: await runCli(["verify", ...flags], io), text };
}

it("verify compares every directory and the nodes of all, also where only one directory is given", async () => {
  await set(0, "a", "b");
  await set(1, "c");
  await deleteValue(regions[1]?.url ?? "", "c");
  const both = await verify("--directory", `${urlOf(0)},${urlOf(1)}`, "--json");
  expect(both.exitCode).toBe(0);
  expect(JSON.parse(both.text)).toMatchObject({
    equal: true,
    parties: [
      { name: urlOf(0), kind: "directory", entries: 3, differing: 0 },
      { name: urlOf(1), kind: "directory", entries: 3, differing: 0 },
      { name: "oslo", kind: "node", entries: 3 },
      { name: "perth", kind: "node", entries: 3 },
    ],
  });
  const one = await verify("--directory", urlOf(0));
  expect(one.exitCode).toBe(0);
  // `verify` names the second directory by the URL under which the first one follows it.
  expect(one.text).toMatch(new RegExp(`^${lines[0]?.url} +3 +same$`, "m"));
  expect(one.text).toContain("Everyone holds the same: 2 entries, 1 deleted.");
});

it("verify names what one directory lacks that another has, and who is behind", async () => {
  await set(0, "before");
  expect(await verify("--directory", urlOf(0))).toMatchObject({ exitCode: 0 });
  for (const line of lines) line.cut();
  await set(0, "left");
  await set(1, "right");
  const flags = ["--directory", `${urlOf(0)},${urlOf(1)}`, "--patience", "100ms"];
  const { exitCode, text } = await verify(...flags, "--json");
  expect(exitCode).toBe(1);
  const { keys, ...report } = JSON.parse(text);
  expect(report).toMatchObject({
    equal: false,
    differing: 2,
    parties: [
      { name: urlOf(0), differing: 1, behind: true },
      { name: urlOf(1), differing: 1, behind: true },
      { name: "oslo", differing: 1, behind: false },
      { name: "perth", differing: 1, behind: false },
    ],
  });
  const [left, right] = keys;
  expect([left.key, right.key]).toEqual(["left", "right"]);
  expect(left.stamps).toMatchObject({ [urlOf(1)]: null, perth: null });
  expect(left.stamps[urlOf(0)]).toBe(left.stamps.oslo);
  expect(right.stamps).toMatchObject({ [urlOf(0)]: null, oslo: null });
  for (const line of lines) line.heal();
  expect(await verify("--directory", urlOf(0))).toMatchObject({ exitCode: 0 });
});

it("verify names a directory of the cluster file that does not answer and a region that nobody knows, and exits 4", async () => {
  await set(0, "a");
  const path = join(folder, "cluster.json");
  const gone = "http://127.0.0.1:1";
  const file = {
    directories: [
      { id: "primary", url: gone },
      { id: "secondary", url: urlOf(1) },
    ],
    regions: ["oslo", "perth", "elba"].map((id) => ({ id, lat: 1, lon: 2 })),
  };
  writeFileSync(path, JSON.stringify(file));
  const { exitCode, text } = await verify("--cluster-file", path);
  expect(exitCode).toBe(4);
  expect(text).toMatch(/^primary +- +not reached$/m);
  expect(text).toMatch(/^secondary +1 +same$/m);
  expect(text).toMatch(/^elba +- +not reached$/m);
  expect(text).toContain(`primary (${gone}) could not be asked: `);
  expect(text).toContain("elba could not be asked: Expected a directory to know where elba is");
  const both = await verify("--cluster-file", path, "--directory", urlOf(0));
  expect(both).toMatchObject({ exitCode: 2 });
});

it("verify exits 4 if none of several directories answers", async () => {
  const gone = await verify("--directory", "http://127.0.0.1:1,http://127.0.0.1:2");
  expect(gone).toMatchObject({ exitCode: 4 });
  for (const port of [1, 2]) expect(gone.text).toContain(`http://127.0.0.1:${port}/`);
});
