import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";

import { transform } from "esbuild";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";

import { cached, connect, type MeridianClient } from "../src/index.ts";
import type { usersOf } from "./fixtures/cached-users.ts";
import { failure } from "./scene.ts";
import { fetchOf, World } from "./world.ts";

async function open(): Promise<{ client: MeridianClient; world: World }> {
  const world = new World();
  world.addNode("near");
  const client = await connect({ nodes: ["http://near.test"], fetch: fetchOf(world) });
  onTestFinished(() => client.close());
  return { client, world };
}

const keysOf = (world: World): string[] => [...(world.nodes[0]?.data.keys() ?? [])];

test("a wrapped function is called once for the same arguments, whatever the order of their members", async () => {
  const { client, world } = await open();
  const calls: unknown[] = [];
  const find = client.wrap(
    "find",
    (id: number, options?: { a?: number; b?: number }) => {
      calls.push([id, options]);
      return { id, ...options };
    },
    { ttl: "15m" },
  );
  expect(await find(1)).toEqual({ id: 1 });
  expect(await find(1, { a: 1, b: 2 })).toEqual({ id: 1, a: 1, b: 2 });
  expect(await find(1, { b: 2, a: 1 })).toEqual({ id: 1, a: 1, b: 2 });
  expect(await Promise.all([find(2), find(2)])).toEqual([{ id: 2 }, { id: 2 }]);
  expect(calls).toHaveLength(3);
  expect(keysOf(world).toSorted()).toEqual(['find:[1,{"a":1,"b":2}]', "find:[1]", "find:[2]"]);
  expect(await client.namespace("users").wrap("all", () => [1])()).toEqual([1]);
  expect(keysOf(world)).toContain("users:all");
});

test.each<[string, (client: MeridianClient) => Promise<unknown>, string]>([
  [
    "a key function that gives no text",
    (c) => c.wrap("f", (n: number) => n, { key: (n) => n as never })(1),
    "INVALID_KEY",
  ],
  [
    "one that gives a promise",
    (c) => c.wrap("f", () => 1, { key: (async () => "k") as never })(),
    "INVALID_KEY",
  ],
  [
    "arguments that are no JSON",
    (c) => c.wrap("f", (given: unknown) => String(given))(new Map()),
    "INVALID_ARGUMENT",
  ],
  [
    "a key that is too long",
    (c) => c.wrap("f", (text: string) => text)("x".repeat(2_000)),
    "INVALID_KEY",
  ],
  ["an unknown option", (c) => c.wrap("f", () => 1, { tll: "1s" } as object)(), "UNKNOWN_OPTION"],
])("%s is an error of the call", async (_, call, code) => {
  const { client, world } = await open();
  expect((await failure(call(client))).code).toBe(code);
  expect(world.nodes[0]?.calls).toEqual([]);
});

test("what a wrapped function or its key function throws is what the call throws", async () => {
  const { client } = await open();
  const broken = (): never => {
    throw new Error("broken");
  };
  await expect(client.wrap("f", broken)()).rejects.toThrow("broken");
  await expect(client.wrap("f", () => 1, { key: broken })()).rejects.toThrow("broken");
});

const FIXTURE = fileURLToPath(new URL("fixtures/cached-users.ts", import.meta.url));
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "meridian-decorators-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Each compiler's JavaScript of the decorated classes. */
const COMPILERS: Readonly<Record<string, () => Promise<string>>> = {
  tsc: async () => {
    const tsc = fileURLToPath(
      import.meta.resolve("typescript/package.json").replace(/package\.json$/, "bin/tsc"),
    );
    const options = ["--target", "es2022", "--module", "nodenext", "--noCheck", "--noResolve"];
    const more = [
      "--allowImportingTsExtensions",
      "--rewriteRelativeImportExtensions",
      "--types",
      "",
    ];
    const args = [tsc, FIXTURE, "--outDir", folder, ...options, ...more, "--ignoreConfig"];
    await promisify(execFile)(process.execPath, args);
    return readFileSync(join(folder, "cached-users.js"), "utf8");
  },
  esbuild: async () => {
    const { code } = await transform(readFileSync(FIXTURE, "utf8"), {
      loader: "ts",
      target: "es2022",
    });
    return code;
  },
};

test.each(Object.keys(COMPILERS))("methods are decorated as %s compiles them", async (name) => {
  const { client, world } = await open();
  const path = join(folder, `${name}.mjs`);
  writeFileSync(path, (await COMPILERS[name]?.()) ?? "");
  const built = (await import(pathToFileURL(path).href)) as { usersOf: typeof usersOf };
  const Users = built.usersOf(cached, client);
  const [one, two] = [new Users(), new Users()];
  expect(await one.find(7)).toEqual({ name: "user 7" });
  expect(await two.find(7)).toEqual({ name: "user 7" });
  expect(await one.search({ text: "a", trace: 1 })).toBe("A");
  expect(await one.search({ text: "a", trace: 2 })).toBe("A");
  expect([one.asked, two.asked]).toEqual([["find 7", "search a"], []]);
  expect(await Users.count()).toBe(7);
  expect((await failure(one.broken())).code).toBe("INVALID_KEY");
  expect(keysOf(world).toSorted()).toEqual(["Users.count", "Users.find:[7]", "search:a"]);
});

test("the decorators of old, and decorators of anything but a method, are refused with a word", async () => {
  const { client } = await open();
  const decorate = cached(client) as (...args: unknown[]) => unknown;
  for (const context of ["find", undefined, { kind: "getter", name: "x" }]) {
    expect(() => decorate(() => Promise.resolve(1), context)).toThrow(/standard of decorators/);
  }
});
