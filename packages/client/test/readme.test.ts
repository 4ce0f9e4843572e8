/** README.md and REFERENCE.md agree with the code: their examples run, and their tables have all names of the code. */
import { readFileSync } from "node:fs";

import { ERROR_KINDS, MeridianError } from "@meridian/protocol";
import { afterAll, beforeAll, expect, test } from "vitest";

import { Client } from "../src/client.ts";
import { Keyspace } from "../src/keyspace.ts";
import {
  connect,
  deletePrefix,
  isMeridianError,
  lock,
  richJson,
  type ConnectOptions,
  type MeridianClient,
} from "../src/index.ts";
import { TestCluster } from "../src/testing/index.ts";

const README = ["../README.md", "../REFERENCE.md"]
  .map((path) => readFileSync(new URL(path, import.meta.url), "utf8"))
  .join("\n");

/** The names in the first column of the table under a heading, or of its rows that `of` mentions. */
function namesIn(head: string, of?: string): string[] {
  const lines = README.split("\n");
  const start = lines.findIndex((line) => line.startsWith(`| ${head} `));
  const length = lines.slice(start).findIndex((line) => !line.startsWith("|"));
  const rows = lines.slice(start + 2, start + length).map((line) => line.split("|"));
  const wanted = rows.filter((cells) => of === undefined || new RegExp(of).test(cells[2] ?? ""));
  return wanted.flatMap(([, names = ""]) =>
    [...names.matchAll(/`(\w+)[^`]*`/g)].map(([, name = ""]) => name),
  );
}

let client: MeridianClient;
/** As `connect`, to a cluster in memory. */
const connectTo = (options: ConnectOptions): Promise<MeridianClient> => {
  const { directory: _directory, location: _location, nodes: _nodes, ...others } = options;
  return new TestCluster().connect(others);
};
/** What the examples import. */
const GIVEN = { connect: connectTo, deletePrefix, isMeridianError, lock, richJson, TestCluster };
beforeAll(async () => {
  client = await connectTo({ nodes: ["http://near.test"] });
});
afterAll(() => client.close());

/** An option, and the one that gives it in milliseconds. */
function inMs(name: string): string[] {
  return /ttl|stale/i.test(name) ? [name, `${name}Ms`] : [name];
}

/** What a call says there is when it is given an option that there is not. */
async function known(call: (options: object) => Promise<unknown>): Promise<string[]> {
  const error: unknown = await call({ nonsense: 1 }).catch((cause: unknown) => cause);
  const options = error instanceof MeridianError ? error.details?.["known"] : undefined;
  return Array.isArray(options) ? options.map(String).toSorted() : [];
}

test("the README's examples run as they are, and give what they say", async () => {
  const blocks = [...README.matchAll(/^```js\n(.*?)^```/gms)].map(([, block = ""]) => block);
  expect(blocks.length).toBeGreaterThan(3);
  let checks = 0;
  const same = (got: unknown, expected: unknown): void => {
    expect(got).toEqual(expected);
    checks += 1;
  };
  const code = blocks
    .join("\n")
    .replace(/^import .*$/gm, "")
    .replace(/^( *)(.*); \/\/ → (.*)$/gm, "$1same($2, $3);");
  const names = Object.keys(GIVEN).join(", ");
  const module = `export async function run({ ${names} }, same) {\n${code}\n}`;
  const readme = (await import(`data:text/javascript,${encodeURIComponent(module)}`)) as {
    run(given: typeof GIVEN, comparing: typeof same): Promise<void>;
  };
  await readme.run(GIVEN, same);
  expect(checks).toBe(README.match(/; \/\/ → /g)?.length);
  expect(checks).toBeGreaterThan(5);
});

test("the README's options are those of the calls", async () => {
  expect(namesIn("option").toSorted()).toEqual(
    await known((options) => connect(options as ConnectOptions)),
  );
  const common = ["signal", "deadlineMs"];
  const ofWrites = (of: string): string[] =>
    [...common, ...namesIn("write option", `all writes|${of}`)].toSorted();
  expect(ofWrites("`set`")).toEqual(await known((options) => client.set("k", 1, options)));
  expect(ofWrites("`delete`")).toEqual(await known((options) => client.delete("k", options)));
  const entries = [{ key: "k", value: 1 }];
  expect(ofWrites("nothing")).toEqual(await known((options) => client.setMany(entries, options)));
  const ofKeys = await known((options) => client.keys(options).next());
  expect(ofKeys.filter((name) => !README.includes(`\`${name}\``))).toEqual([]);
  expect(ofKeys).toContain("prefix");
  const ofFills = [...common, ...namesIn("fill option").flatMap(inMs)].toSorted();
  expect(ofFills).toEqual(await known((options) => client.getOrSet("k", () => 1, options)));
  const ofEntries = ["key", "value", ...namesIn("write option", "each of many")].toSorted();
  expect(ofEntries).toEqual(
    await known((options) => client.setMany([{ key: "k", value: 1, ...options }])),
  );
});

test("the README's methods are those of the client", () => {
  const names = [Client, Keyspace].flatMap(({ prototype }) =>
    Object.getOwnPropertyNames(prototype),
  );
  expect(namesIn("method").toSorted()).toEqual(
    names.filter((name) => name !== "constructor").toSorted(),
  );
});

test("the README's errors are those that there are", () => {
  const codes = namesIn("code");
  expect(codes.length).toBeGreaterThan(5);
  expect(codes.filter((code) => !(code in ERROR_KINDS))).toEqual([]);
});
