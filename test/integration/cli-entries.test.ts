/** The commands that read and write entries, at a real region, and what programs read of what they write. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

import { runCli } from "@meridian/cli";
import { connect, type MeridianClient } from "@meridian/client";
import { ROOT, startBothPrograms, type BothPrograms } from "@meridian/harness";
import { bundleSource } from "@meridian/source-bundle";
import { afterAll, beforeAll, expect, it } from "vitest";

interface Outcome {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

let programs: BothPrograms;
let client: MeridianClient;

beforeAll(async () => {
  programs = await startBothPrograms();
  client = await connect({ nodes: [programs.region] });
});

afterAll(async () => {
  client.close();
  await programs.stop();
});

async function meridian(...argv: readonly string[]): Promise<Outcome> {
  let [stdout, stderr] = ["", ""];
  const exitCode = await runCli([...argv, "--node", programs.region], {
    stdout: { write: (data) => (stdout += Buffer.from(data as string).toString()) },
    stderr: { write: (text) => (stderr += text) },
    stdin: undefined,
    env: {},
    colour: false,
  });
  return { exitCode, stdout, stderr };
}

/** The objects that a command prints, one a line. */
async function objects(...argv: readonly string[]): Promise<readonly Record<string, unknown>[]> {
  const { stdout } = await meridian(...argv, "--json");
  const lines = stdout.split("\n").filter((line) => line !== "");
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

it("what mset stores is what programs set, and mget prints it in the order of the keys", async () => {
  const set = await meridian(
    "mset",
    "m:n",
    "1",
    "m:name",
    "Ada",
    "m:o",
    '{"a":[1]}',
    "--ttl",
    "1h",
  );
  expect([set.exitCode, set.stderr]).toEqual([0, ""]);
  expect(await client.getMany(["m:n", "m:name", "m:o"])).toEqual(
    new Map<string, unknown>([
      ["m:n", 1],
      ["m:name", "Ada"],
      ["m:o", { a: [1] }],
    ]),
  );
  await client.set("m:bytes", Uint8Array.of(0, 255));
  await client.set("m:lines", "a\nb", { contentType: "text/plain" });
  const found = await meridian("mget", "m:o", "m:bytes", "m:none", "m:lines", "m:name");
  expect(found.exitCode).toBe(3);
  const rows = found.stdout.trimEnd().split("\n");
  expect(rows.map((row) => row.split(/ {2,}/))).toEqual([
    ["KEY", "FOUND", "TYPE", "VALUE"],
    ["m:o", "yes", "application/json", '{"a":[1]}'],
    ["m:bytes", "yes", "application/octet-stream", "<2 bytes>"],
    ["m:none", "no"],
    ["m:lines", "yes", "text/plain", String.raw`"a\nb"`],
    ["m:name", "yes", "text/plain; charset=utf-8", "Ada"],
  ]);
  expect(await objects("mget", "m:none", "m:bytes")).toEqual([
    { key: "m:none", found: false },
    expect.objectContaining({ key: "m:bytes", found: true, value: "AP8=", encoding: "base64" }),
  ]);
  expect((await meridian("mget", "m:n")).exitCode).toBe(0);
});

it("touch moves the end of values, and ttl prints it as touch takes it", async () => {
  await client.setMany([
    { key: "t:a", value: 1, ttl: "1m" },
    { key: "t:b", value: 2 },
  ]);
  expect((await meridian("touch", "t:a", "t:b", "--ttl", "2h")).exitCode).toBe(0);
  const { stdout } = await meridian("ttl", "t:a", "t:b");
  const life = /^t:a {2}(\d+s)$/m.exec(stdout)?.[1] ?? "";
  expect(Number.parseInt(life, 10)).toBeGreaterThan(7_000);
  expect((await meridian("touch", "t:a", "--ttl", life)).exitCode).toBe(0);
  expect((await meridian("touch", "t:b", "--at", "never")).exitCode).toBe(0);
  expect((await meridian("touch", "t:a", "t:none", "--at", "2090-01-31T12:00:00Z")).exitCode).toBe(
    3,
  );
  expect(await objects("ttl", "t:b", "t:none")).toEqual([
    { key: "t:b", found: true, ttlMs: null },
    { key: "t:none", found: false, ttlMs: null },
  ]);
  expect((await client.getRaw("t:a"))?.expiresAtMs).toBe(Date.parse("2090-01-31T12:00:00Z"));
  expect((await meridian("ttl", "t:none")).exitCode).toBe(3);
});

it("entries lists values as export writes them", async () => {
  for (const index of [1, 2, 3]) await client.set(`e:${index}`, { index });
  const { stdout } = await meridian("entries", "e:", "--after", "e:1", "--limit", "1");
  expect(stdout.split("\n")[1]).toMatch(/^e:2 +application\/json +never +\{"index":2\}$/);
  const exported = await meridian("export", "e:");
  expect((await meridian("entries", "e:", "--json")).stdout).toBe(exported.stdout);
  expect(exported.stdout.split("\n")).toHaveLength(4);
});

it("del deletes keys, or page by page all keys with a prefix, and no other", async () => {
  await client.set("d:a", 1);
  const many = await meridian("del", "d:a", "d:none");
  expect(many.stdout).toBe("KEY     EXISTED\nd:a     yes\nd:none  no\n");
  const keys = Array.from({ length: 2_100 }, (_, index) => `d:many:${index}`);
  await client.setMany(keys.map((key) => ({ key, value: 1 })));
  await client.set("d:more", 1);
  const all = await meridian("del", "--prefix", "d:many:", "--json");
  expect(all.stderr).toMatch(/^deleted 2100 entries, /);
  expect(JSON.parse(all.stdout)).toEqual({ prefix: "d:many:", deleted: 2_100 });
  expect(await client.hasMany([...keys.slice(0, 10), "d:more"])).toEqual(new Set(["d:more"]));
});

it.each([
  [["mset", "a"], /for each key, got none for `a`/],
  [["del"], /keys or `--prefix`, got neither/],
  [["del", "a", "--prefix", "b"], /got both/],
  [["del", "--prefix", ""], /at least one character/],
  [["touch", "a"], /`--ttl` or `--at`, got neither/],
  [["touch", "a", "--ttl", "1h", "--at", "never"], /got both/],
  [["touch", "a", "--at", "tomorrow"], /an instant such as/],
  [["bench", "--rate", "0"], /`--rate` as a whole number from 1/],
  [["bench", "--reads", "2"], /`--reads` as a number from 0 to 1/],
  [["bench", "--bytes", "x"], /`--bytes`/],
])("%j is a usage error, and nothing is done", async (argv, said) => {
  const { exitCode, stderr } = await meridian(...argv);
  expect([exitCode, stderr]).toEqual([2, expect.stringMatching(said)]);
});

it.each([[[]], [["--rate", "300"]]])("bench %j measures, and leaves nothing", async (load) => {
  const small = ["--seconds", "0.3", "--keys", "20", "--bytes", "10", "--reads", "0.5"];
  const [report] = await objects("bench", ...small, ...load);
  expect(report).toMatchObject({
    load: load.length === 0 ? "closed" : "open",
    failures: {},
    get: { count: expect.any(Number) as number },
  });
  const { get, set } = report as Record<"get" | "set", Record<string, number>>;
  expect(Number(get["count"]) + Number(set["count"])).toBeGreaterThanOrEqual(
    load.length === 0 ? 1 : 90,
  );
  expect(get["maxMs"]).toBeGreaterThanOrEqual(Number(get["p99Ms"]));
  for await (const { key } of client.keys({ prefix: "bench:" })) throw new Error(`left ${key}`);
});

it("the program ends a value with a line break on a terminal only", async () => {
  await client.set("p:text", "plain", { contentType: "text/plain" });
  const main = await bundleSource(join(ROOT, "apps/cli/src/main.ts"));
  const asked = [process.execPath, main, "get", "p:text", "--node", programs.region];
  const run = async (file: string, argv: readonly string[]): Promise<string> => {
    const child = spawn(file, argv, { stdio: ["ignore", "pipe", "inherit"] });
    let text = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
    await once(child, "close");
    return text;
  };
  const [file = "", ...argv] = asked;
  expect(await run(file, argv)).toBe("plain");
  if (spawnSync("script", ["--version"]).status !== 0) return;
  expect(await run("script", ["-qec", asked.join(" "), "/dev/null"])).toBe("plain\r\n");
});
