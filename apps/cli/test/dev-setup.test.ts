import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, expect, test } from "vitest";

import { takeDataDirectory } from "../src/dev/data-directory.ts";
import { readDevConfig, type DevFlags } from "../src/dev/dev-config.ts";
import { LineSplitter } from "@meridian/supervision";
import { choosePorts } from "../src/dev/ports.ts";

const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function temporary(): string {
  const folder = mkdtempSync(join(tmpdir(), "meridian-dev-"));
  folders.push(folder);
  return folder;
}

const refused = (code: string, message: RegExp): Error =>
  expect.objectContaining({ code, message: expect.stringMatching(message) as string }) as Error;

test("without flags there are five regions at their true places and no asked port", () => {
  const { regions, directories } = readDevConfig({});
  expect(regions.map(({ id }) => id)).toEqual([
    "montreal",
    "frankfurt",
    "singapore",
    "sao-paulo",
    "sydney",
  ]);
  expect(directories).toEqual([
    { id: "directory", port: undefined, place: expect.objectContaining({ lat: 38.7223 }) },
  ]);
});

test("regions are given one by one, south and west of Greenwich too", () => {
  const { regions } = readDevConfig({ region: ["lima=-12.05,-77.04", "oslo=59.91,10.75"] });
  expect(regions).toEqual([
    { id: "lima", lat: -12.05, lon: -77.04, port: undefined },
    { id: "oslo", lat: 59.91, lon: 10.75, port: undefined },
  ]);
});

test.each<[string, DevFlags, RegExp]>([
  ["no region", { regions: "0" }, /`--regions` from 1 to 12 .* got `0`/],
  ["more regions than are known", { regions: "13" }, /got `13`/],
  ["half a region", { regions: "1.5" }, /got `1\.5`/],
  ["a region without a place", { region: ["oslo"] }, /`id=lat,lon`.* got `oslo`/],
  ["a region off the globe", { region: ["oslo=95,10"] }, /`lat` between -90 and 90, got `95`/],
  ["a region of a bad name", { region: ["Oslo=5,10"] }, /lower-case/],
  ["two regions of one name", { region: ["a=1,1", "a=2,2"] }, /`a` twice/],
  ["a region named like the directory", { region: ["directory=1,1"] }, /`directory` twice/],
  ["a port that is none", { port: "70000" }, /`--port` to be a port from 1 to 65535, got `70000`/],
  ["no directory", { directories: "0" }, /`--directories` from 1 to 5, got `0`/],
  ["a crowd of directories", { directories: "6" }, /got `6`/],
  [
    "a region named like the second directory",
    { directories: "2", region: ["directory-2=1,1"] },
    /`directory-2` twice/,
  ],
  ["a number of directories beside a file", { config: "x.json", directories: "2" }, /got both/],
  ["a log beside a file", { config: "x.json", log: "nats" }, /got both/],
  ["two ways of saying which regions", { region: ["a=1,1"], regions: "2" }, /got both/],
  ["a file beside flags", { config: "x.json", regions: "2" }, /got both/],
  [
    "a file that is not there",
    { config: "/nowhere.json" },
    /Expected a cluster file at `\/nowhere\.json`/,
  ],
])("%s is refused", (_, flags, message) => {
  expect(() => readDevConfig(flags)).toThrowError(refused("INVALID_CONFIG", message));
});

/** The path of a cluster file with these directories and regions. */
function clusterFile(directories: readonly object[], regions: readonly object[]): string {
  const file = join(temporary(), "cluster.json");
  writeFileSync(file, JSON.stringify({ directories, regions }));
  return file;
}

test("a cluster file says who is there, and its ports are kept", () => {
  const config = clusterFile(
    [
      { id: "one", port: 9_000, lat: 5, lon: 6 },
      { id: "two", port: 9_005 },
    ],
    [
      { id: "a", lat: 1, lon: 2, url: "http://10.0.0.2:9001", data: "/elsewhere" },
      { id: "b", lat: -3, lon: 4.5 },
    ],
  );
  expect(readDevConfig({ config })).toEqual({
    directories: [
      { id: "one", port: 9_000, place: { lat: 5, lon: 6 } },
      { id: "two", port: 9_005, place: undefined },
    ],
    regions: [
      { id: "a", lat: 1, lon: 2, port: 9_001 },
      { id: "b", lat: -3, lon: 4.5, port: undefined },
    ],
    clusterFile: config,
    log: "sqlite",
  });
  const moved = readDevConfig({ config, port: "9100" });
  expect([...moved.directories, ...moved.regions].map(({ port }) => port)).toEqual([
    9_100,
    undefined,
    undefined,
    undefined,
  ]);
});

test("ports that are right on two machines follow each other on one", async () => {
  const config = clusterFile(
    [
      { id: "one", url: "http://10.0.0.1:7400" },
      { id: "two", url: "http://10.0.0.2:7400" },
    ],
    [{ id: "a", lat: 1, lon: 2, url: "http://10.0.0.1:7401" }],
  );
  const ports = await choosePorts(readDevConfig({ config }), () => Promise.resolve(true));
  expect(ports).toEqual({ directories: [7400, 7401], regions: [7402], nats: [], busy: [] });
});

test("a cluster file with something wrong is refused with the path of that", () => {
  const config = clusterFile([{ id: "one", prot: 1 }], [{ id: "a", lat: 1, lon: 181 }]);
  expect(() => readDevConfig({ config })).toThrowError(
    refused("INVALID_CONFIG", /`directories\[0\]`[^]*`regions\[0\]\.lon` [^]*got `181`/),
  );
});

test("a cluster file whose log others write is refused, and one with a log on this machine is not", () => {
  const regions = [{ id: "a", lat: 1, lon: 2 }];
  const withLog = (log: string): string => clusterFile([{ id: "one", log }], regions);
  const remote = withLog("tls://127.0.0.1:4222,nats-2.example.com:4222");
  expect(() => readDevConfig({ config: remote })).toThrowError(
    refused("INVALID_CONFIG", /the directory `one` of .*,nats-2\.example\.com/),
  );
  const local = withLog("nats://127.0.0.1:4222,localhost:4223");
  expect(readDevConfig({ config: local }).directories).toHaveLength(1);
});

test("with a log in a stream there are two directories, and ports for three servers behind all others", async () => {
  const config = readDevConfig({ log: "nats", regions: "1" });
  const ports = await choosePorts(config, () => Promise.resolve(true));
  expect(ports).toEqual({
    directories: [7400, 7401],
    regions: [7402],
    nats: [7403, 7404, 7405, 7406, 7407, 7408],
    busy: [],
  });
  expect(readDevConfig({ log: "nats", directories: "1" }).directories).toHaveLength(1);
});

test("the default ports are 7400 for the directory and those after it for the regions", async () => {
  const ports = await choosePorts(readDevConfig({}), () => Promise.resolve(true));
  expect(ports).toEqual({
    directories: [7400],
    regions: [7401, 7402, 7403, 7404, 7405],
    nats: [],
    busy: [],
  });
  const two = readDevConfig({ directories: "2", regions: "1" });
  expect(await choosePorts(two, () => Promise.resolve(true))).toEqual({
    directories: [7400, 7401],
    regions: [7402],
    nats: [],
    busy: [],
  });
});

test("a busy default port moves the cluster to the next block that is free as a whole", async () => {
  const busy = new Set([7403, 7500]);
  const ports = await choosePorts(readDevConfig({}), (port) => Promise.resolve(!busy.has(port)));
  expect(ports).toEqual({
    directories: [7600],
    regions: [7601, 7602, 7603, 7604, 7605],
    nats: [],
    busy: [7403],
  });
});

test("a busy port that was asked for is an error that names it", async () => {
  const config = readDevConfig({ port: "9000", regions: "2" });
  await expect(choosePorts(config, (port) => Promise.resolve(port !== 9_002))).rejects.toThrow(
    /got 9002 busy/,
  );
});

test("regions without a port of their own leave out those that others have", async () => {
  const place = { lat: 1, lon: 1 };
  const config = readDevConfig({
    config: clusterFile(
      [{ id: "one", port: 9_000 }],
      [
        { id: "a", ...place },
        { id: "b", ...place, port: 9_001 },
        { id: "c", ...place },
      ],
    ),
  });
  const ports = await choosePorts(config, () => Promise.resolve(true));
  expect(ports.regions).toEqual([9_002, 9_001, 9_003]);
});

test("a directory that holds something else is neither used nor emptied", () => {
  const folder = temporary();
  writeFileSync(join(folder, "thesis.txt"), "years of work");
  for (const fresh of [false, true]) {
    expect(() => takeDataDirectory(folder, fresh)).toThrowError(
      refused("INVALID_CONFIG", /something else/),
    );
  }
  expect(readdirSync(folder)).toEqual(["thesis.txt"]);
});

test("data of an earlier run stays unless it is to be forgotten", () => {
  const folder = temporary();
  const first = takeDataDirectory(folder, false);
  expect(first.unclean).toBe(false);
  mkdirSync(join(folder, "montreal"));
  first.release();
  const second = takeDataDirectory(folder, false);
  expect(readdirSync(folder)).toContain("montreal");
  expect(second.unclean).toBe(false);
  expect(takeDataDirectory(folder, true).unclean).toBe(true);
  expect(readdirSync(folder)).toEqual(["dev.json"]);
});

test("a directory whose process is gone is taken over; the run before it was not clean", () => {
  const folder = temporary();
  writeFileSync(join(folder, "dev.json"), '{"pid":4194304}');
  expect(takeDataDirectory(folder, false).unclean).toBe(true);
  expect(readFileSync(join(folder, "dev.json"), "utf8")).toContain(String(process.pid));
});

test("lines come whole however their bytes arrive", () => {
  const lines: string[] = [];
  const splitter = new LineSplitter((line) => lines.push(line));
  for (const piece of ["a", "b\nc", "\r\n", "\n", "d"]) splitter.push(piece);
  splitter.end();
  expect(lines).toEqual(["ab", "c", "", "d"]);
});

test("a program that writes no line break takes bounded memory", () => {
  const lengths: number[] = [];
  const splitter = new LineSplitter((line) => lengths.push(line.length));
  for (let n = 0; n < 100; n += 1) splitter.push("x".repeat(10_000));
  expect(Math.max(...lengths)).toBeLessThan(100_000);
  expect(lengths.length).toBeGreaterThan(5);
});
