import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, expect, test } from "vitest";

import { takeDataDirectory } from "../src/dev/data-directory.ts";
import { parseConfig, readDevConfig, type DevFlags } from "../src/dev/dev-config.ts";
import { LineSplitter } from "../src/dev/log-lines.ts";
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
  const { regions, directoryPort } = readDevConfig({});
  expect(regions.map(({ id }) => id)).toEqual([
    "montreal",
    "frankfurt",
    "singapore",
    "sao-paulo",
    "sydney",
  ]);
  expect(directoryPort).toBeUndefined();
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
  ["two ways of saying which regions", { region: ["a=1,1"], regions: "2" }, /got both/],
  ["a file beside flags", { config: "x.json", regions: "2" }, /got both/],
  ["a file that is not there", { config: "/nowhere.json" }, /Expected a file at `\/nowhere\.json`/],
])("%s is refused", (_, flags, message) => {
  expect(() => readDevConfig(flags)).toThrowError(refused("INVALID_CONFIG", message));
});

test("a config file says where everything is", () => {
  const folder = temporary();
  const file = join(folder, "meridian.dev.json");
  const regions = [
    { id: "a", lat: 1, lon: 2, port: 9_001 },
    { id: "b", lat: -3, lon: 4.5 },
  ];
  writeFileSync(file, JSON.stringify({ directory: { port: 9_000 }, regions }));
  expect(readDevConfig({ config: file })).toEqual({
    directoryPort: 9_000,
    regions: [regions[0], { ...regions[1], port: undefined }],
  });
  expect(readDevConfig({ config: file, port: "9100" }).directoryPort).toBe(9_100);
});

test.each<[string, RegExp]>([
  ["{", /f\.json/],
  ["[]", /the file to be an object, got `\[\]`/],
  ['{"region":[]}', /members out of `directory`, `regions`, got `region`/],
  ['{"directory":{"prot":1}}', /`directory` with members out of `port`, got `prot`/],
  ['{"directory":{"port":"7400"}}', /`directory\.port` to be a port .* got `"7400"`/],
  ['{"regions":[]}', /at least one region, got `\[\]`/],
  ['{"regions":[{"lat":1,"lon":1}]}', /`regions\[0\]\.id` to be a string, got nothing/],
  ['{"regions":[{"id":"a","lat":"1","lon":1}]}', /`regions\[0\]\.lat` to be a number, got `"1"`/],
  [
    '{"regions":[{"id":"a","lat":1,"lon":181}]}',
    /`regions\[0\]`: .*`lon` between -180 and 180, got `181`/,
  ],
  ['{"regions":[{"id":"a","lat":1,"lon":1,"x":2}]}', /`regions\[0\]` with members .* got `x`/],
  ['{"directory":{"port":80},"regions":[{"id":"a","lat":1,"lon":1,"port":80}]}', /got 80 twice/],
])("the config %s is refused with the path of what is wrong", (text, message) => {
  expect(() => parseConfig(text, "f.json")).toThrowError(refused("INVALID_CONFIG", message));
});

test("the default ports are 7400 for the directory and those after it for the regions", async () => {
  const ports = await choosePorts(readDevConfig({}), () => Promise.resolve(true));
  expect(ports).toEqual({ directory: 7400, regions: [7401, 7402, 7403, 7404, 7405], busy: [] });
});

test("a busy default port moves the cluster to the next block that is free as a whole", async () => {
  const busy = new Set([7403, 7500]);
  const ports = await choosePorts(readDevConfig({}), (port) => Promise.resolve(!busy.has(port)));
  expect(ports).toEqual({ directory: 7600, regions: [7601, 7602, 7603, 7604, 7605], busy: [7403] });
});

test("a busy port that was asked for is an error that names it", async () => {
  const config = readDevConfig({ port: "9000", regions: "2" });
  await expect(choosePorts(config, (port) => Promise.resolve(port !== 9_002))).rejects.toThrow(
    /got 9002 busy/,
  );
});

test("regions without a port of their own leave out those that others have", async () => {
  const regions =
    '[{"id":"a","lat":1,"lon":1},{"id":"b","lat":1,"lon":1,"port":9001},{"id":"c","lat":1,"lon":1}]';
  const config = parseConfig(`{"directory":{"port":9000},"regions":${regions}}`, "f.json");
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
