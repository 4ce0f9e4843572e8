import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { beforeEach, expect, onTestFinished, test } from "vitest";

import { run, serve, type Outcome } from "./command.ts";

const NODES = { "GET /nodes": { body: { nodes: [] } } };
const SECRET = "a-token-that-is-secret";

let home: string;
let tokenFile: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "meridian-home-"));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  tokenFile = join(home, "token");
  writeFileSync(tokenFile, SECRET, { mode: 0o600 });
});

function meridian(argv: readonly string[], env: Record<string, string> = {}): Promise<Outcome> {
  return run(argv, { env: { HOME: home, ...env } });
}

async function add(name: string, url: string): Promise<void> {
  const argv = ["context", "add", name, "--directory", url, "--token-file", tokenFile];
  expect((await meridian(argv)).exitCode).toBe(0);
}

test("the first context is used, until another one is", async () => {
  const [first, second] = [await serve(NODES), await serve(NODES)];
  await add("one", first.url);
  await add("two", second.url);
  await meridian(["nodes"]);
  expect([first.calls.length, second.calls.length]).toEqual([1, 0]);
  expect((await meridian(["context", "use", "two"])).exitCode).toBe(0);
  await meridian(["nodes"]);
  await meridian(["nodes", "--context", "one"]);
  await meridian(["nodes"], { MERIDIAN_CONTEXT: "one" });
  expect([first.calls.length, second.calls.length]).toEqual([3, 1]);
  expect(second.calls[0]?.headers.authorization).toBe(`Bearer ${SECRET}`);
});

test("a cluster that is named otherwise sees no token of the context", async () => {
  const [own, other] = [await serve(NODES), await serve(NODES)];
  await add("one", own.url);
  await meridian(["nodes", "--directory", other.url]);
  await meridian(["nodes"], { MERIDIAN_DIRECTORY: other.url });
  expect(own.calls).toEqual([]);
  expect(other.calls.map(({ headers }) => headers.authorization)).toEqual([undefined, undefined]);
});

test("only the user reads the file, and it holds no secret", async () => {
  await add("one", "http://127.0.0.1:7400");
  const file = join(home, ".config/meridian/contexts.json");
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(readFileSync(file, "utf8")).not.toContain(SECRET);
  for (const argv of [
    ["context", "list"],
    ["context", "list", "--json"],
  ]) {
    const { stdout, stderr } = await meridian(argv);
    expect(stdout.toString()).toContain(tokenFile);
    expect(stdout.toString() + stderr).not.toContain(SECRET);
  }
});

test("a context that is removed is used no more", async () => {
  await add("one", "http://127.0.0.1:7400");
  expect((await meridian(["context", "remove", "one"])).exitCode).toBe(0);
  const { stdout } = await meridian(["context", "list", "--json"]);
  expect(JSON.parse(stdout.toString())).toEqual({ current: null, contexts: {} });
});

test.each([
  ["one that there is not", ["nodes", "--context", "x"], "Expected a context (none), got `x`"],
  ["`constructor`", ["nodes", "--context", "constructor"], "got `constructor`"],
  ["one beside a directory", ["nodes", "--context", "x", "--directory", "http://a"], "got both"],
  ["one for what asks nobody", ["version", "--context", "x"], "Expected no `--context`"],
  ["to use another", ["context", "use", "x"], "Expected a context"],
  ["a name with a slash", ["context", "add", "a/b", "--directory", "http://a"], "a/b"],
  ["no URL", ["context", "add", "a", "--directory", "x"], "Expected the directory as a URL"],
  ["no directory", ["context", "add", "a"], "--directory"],
  [
    "no such token",
    ["context", "add", "a", "--directory", "http://a", "--token-file", "/nowhere"],
    "Expected a token",
  ],
])("a context is refused: %s", async (_what, argv, said) => {
  const { exitCode, stderr } = await meridian(argv);
  expect(stderr).toContain(said);
  expect(exitCode).toBe(2);
});

test("what is no file of contexts is told, and stays", async () => {
  const file = join(home, "meridian/contexts.json");
  const env = { XDG_CONFIG_HOME: home };
  await meridian(["context", "add", "a", "--directory", "http://a"], env);
  for (const text of [
    "",
    "{}",
    '{"current":1,"contexts":{}}',
    '{"current":null,"contexts":{},"x":1}',
  ]) {
    writeFileSync(file, text);
    const argv = ["context", "add", "b", "--directory", "http://b"];
    const { exitCode, stderr } = await meridian(argv, env);
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining("INVALID_CONFIG")]);
    expect(readFileSync(file, "utf8")).toBe(text);
  }
});
