import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { DIRECTORY_OPTIONS, OptionsError, parseOptions, type Role } from "@meridian/options";
import { expect, onTestFinished, test } from "vitest";

import { parseClusterFile, settingsOf, withClusterFile } from "../src/index.ts";

const TEXT = JSON.stringify({
  cluster: "shop",
  directories: [
    { id: "one", url: "http://10.0.0.1:7400", host: "0.0.0.0" },
    { id: "two", url: "http://10.0.1.1:7400", limits: { lagMax: "5s", durability: "power" } },
  ],
  regions: [
    { id: "paris", region: "eu", lat: 48.86, lon: -2, url: "http://10.0.2.1:7410", data: "/p" },
    {
      id: "rome",
      lat: 1e-7,
      lon: 12,
      port: 7499,
      allowOrigin: ["https://a.b", "https://c.d"],
      allowHost: ["e.f"],
    },
  ],
  limits: { durability: "process", cacheBytes: 1_000, ttlDefault: "1h" },
  log: { format: "json" },
});
const FILE = parseClusterFile(TEXT, "c.json");

const optionsOf = (role: Role, id: string): Readonly<Record<string, string>> =>
  Object.fromEntries(settingsOf(FILE, role, id, "c.json").map(({ name, text }) => [name, text]));

test("a region gets its own entry, the directories in order, and the limits that regions have", () => {
  expect(optionsOf("region", "paris")).toEqual({
    cluster: "shop",
    port: "7410",
    data: "/p",
    region: "eu",
    lat: "48.86",
    lon: "-2",
    url: "http://10.0.2.1:7410",
    directory: "http://10.0.0.1:7400,http://10.0.1.1:7400",
    durability: "process",
    "cache-bytes": "1000",
    "ttl-default": "1h",
    "log-format": "json",
  });
  expect(optionsOf("region", "rome")).toMatchObject({
    lat: "1e-7",
    port: "7499",
    "allow-origin": "https://a.b,https://c.d",
    "allow-host": "e.f",
  });
  expect(optionsOf("region", "rome")).not.toHaveProperty("url");
});

test("a directory gets its own entry, the others as peers, and its own limits before the cluster's", () => {
  expect(optionsOf("directory", "one")).toEqual({
    cluster: "shop",
    host: "0.0.0.0",
    port: "7400",
    url: "http://10.0.0.1:7400",
    peer: "http://10.0.1.1:7400",
    durability: "process",
    "log-format": "json",
  });
  expect(optionsOf("directory", "two")).toMatchObject({
    peer: "http://10.0.0.1:7400",
    durability: "power",
    "lag-max": "5s",
  });
});

test("directories with the same log do not follow each other, and follow those with another one", () => {
  const urls = [1, 2, 3, 4].map((each) => `http://10.0.0.${each}:7400`);
  const logs = ["nats://n:1", "nats://n:1", "nats://m:1", undefined];
  const directories = urls.map((url, index) => {
    const [id, log] = [`d${index + 1}`, logs[index]];
    return log === undefined ? { id, url } : { id, url, log };
  });
  const shared = parseClusterFile(
    JSON.stringify({ directories, regions: [{ id: "a", lat: 1, lon: 2 }] }),
    "the file",
  );
  const peers = (id: string): string | undefined =>
    settingsOf(shared, "directory", id, "the file").find(({ name }) => name === "peer")?.text;
  expect(peers("d1")).toBe(`${urls[2]},${urls[3]}`);
  expect(peers("d4")).toBe(`${urls[0]},${urls[1]},${urls[2]}`);
});

test("each setting says where in the file it stands", () => {
  const sources = settingsOf(FILE, "directory", "two", "c.json").map(({ source }) => source);
  expect(sources).toEqual([
    "c.json: directories",
    "c.json: directories[1].url",
    "c.json: directories[1].url",
    "c.json: directories[1].limits.lagMax",
    "c.json: cluster",
    "c.json: directories[1].limits.durability",
    "c.json: log.format",
  ]);
});

test("a directory may be reached behind a path, and is told its URL", () => {
  const url = "https://proxy.example/meridian";
  const text = JSON.stringify({
    directories: [{ id: "d", url }],
    regions: [{ id: "r", lat: 1, lon: 2 }],
  });
  const settings = settingsOf(parseClusterFile(text, "c.json"), "directory", "d", "c.json");
  const read = parseOptions(DIRECTORY_OPTIONS, { argv: ["--data=x"], env: {}, settings });
  expect(read).toMatchObject({ kind: "run", values: { url } });
});

test("an id that the file does not have is refused with those that it has", () => {
  expect(() => settingsOf(FILE, "region", "one", "c.json")).toThrow(
    "Expected an id of `regions` in c.json: `paris`, `rome`, got `one`",
  );
});

const TABLE = [
  { name: "id", kind: "text", file: "process", description: "" },
  { name: "cluster-file", kind: "text", file: null, description: "" },
  { name: "cluster", kind: "text", default: "meridian", file: "cluster", description: "" },
  {
    name: "port",
    kind: "integer",
    min: 0,
    max: 9_000,
    default: 1,
    file: "process",
    description: "",
  },
  { name: "host", kind: "text", default: "127.0.0.1", file: "process", description: "" },
  { name: "peer", kind: "text", file: null, description: "" },
  { name: "durability", kind: "text", file: "limits", description: "" },
  { name: "lag-max", kind: "text", file: "limits", description: "" },
  { name: "log-format", kind: "text", file: "log", description: "" },
] as const;

function fileWith(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), "meridian-cluster-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "c.json"), text);
  return join(folder, "c.json");
}

const parse = (argv: readonly string[], env: Record<string, string> = {}): object =>
  parseOptions(TABLE, withClusterFile("directory", TABLE, { argv, env }));

function problemsOf(argv: readonly string[], env: Record<string, string> = {}): readonly string[] {
  try {
    parse(argv, env);
  } catch (error) {
    if (error instanceof OptionsError) return error.problems;
    throw error;
  }
  return [];
}

test("a flag goes before the environment, that before the file, and the file before the default", () => {
  const path = fileWith(TEXT);
  const argv = ["--cluster-file", path, "--id=one", "--host", "::1"];
  const env = { MERIDIAN_HOST: "10.1.1.1", MERIDIAN_CLUSTER: "mall" };
  expect(parse(argv, env)).toMatchObject({
    values: { host: "::1", cluster: "mall", port: 7400, peer: "http://10.0.1.1:7400" },
  });
  expect(parse([], { MERIDIAN_CLUSTER_FILE: path, MERIDIAN_ID: "one" })).toMatchObject({
    values: { host: "0.0.0.0", cluster: "shop" },
  });
  expect(parse(["--id=one"])).toMatchObject({ values: { host: "127.0.0.1", port: 1 } });
});

test("help is given whatever the file holds", () => {
  expect(parse(["--cluster-file", "/nowhere.json", "--help"])).toEqual({ kind: "help" });
});

test("a file without an id, one that is missing, and one with problems are refused in plain words", () => {
  expect(problemsOf(["--cluster-file", "c.json"])).toEqual([
    "Expected `--id` (or MERIDIAN_ID) beside `--cluster-file`, to know which directory this is, got nothing",
  ]);
  expect(problemsOf(["--cluster-file=/nowhere.json", "--id=one"])[0]).toMatch(/ENOENT/);
  const bad = fileWith('{"directories": [{"id": "one", "port": -1}], "regions": 1}');
  expect(problemsOf([`--cluster-file=${bad}`, "--id=one"])).toHaveLength(2);
  const good = fileWith(TEXT);
  expect(problemsOf([`--cluster-file=${good}`, "--id=three"])[0]).toMatch(/got `three`/);
});

test("a value that the program refuses is refused with its place in the file", () => {
  const path = fileWith(TEXT.replace("http://10.0.0.1:7400", "http://10.0.0.1:9400"));
  expect(problemsOf([`--cluster-file=${path}`, "--id=one"])).toEqual([
    "Expected `c.json: directories[0].url` to be a whole number between 0 and 9000, got `9400`",
  ]);
});
