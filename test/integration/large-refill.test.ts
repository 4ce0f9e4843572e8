/** Refills a directory with more keys than any page, turn or window holds, over real stores. The first and the last keys differ between the regions. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";

import type { RunningDirectory } from "@meridian/directory";
import type { RunningRegion } from "@meridian/region";
import { afterEach, beforeEach, expect, it } from "vitest";
import { startSmallDirectory, startSmallRegion, until } from "@meridian/harness";

const KEYS = 5_000;
const IN_BATCH = 500;
/** How many of the first keys only region `a` has; as many of the last ones only `b` has. */
const ENDS = 3;

let folder: string;
let directory: RunningDirectory;
let regions: RunningRegion[];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "meridian-refill-"));
  regions = [];
  directory = await startSmallDirectory({ data: join(folder, "directory") });
});

afterEach(async () => {
  await Promise.all(regions.map((region) => region.stop()));
  await directory.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function start(id: string): Promise<RunningRegion> {
  const region = await startSmallRegion({
    id,
    data: join(folder, id),
    directory: [directory.url],
    cacheEntries: 1,
  });
  regions.push(region);
  await until(`${id} is ready`, () => region.status === "ready");
  return region;
}

function keyOf(index: number): string {
  return `key-${String(index).padStart(5, "0")}`;
}

async function post(region: RunningRegion, route: string, body: object): Promise<Response> {
  const answer = await fetch(`${region.url}${route}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  expect(answer.status).toBe(200);
  return answer;
}

/** Writes the values of `version` under the keys from index `from` up to, not including, `to`. */
async function write(
  region: RunningRegion,
  version: string,
  from: number,
  to: number,
): Promise<void> {
  for (let first = from; first < to; first += IN_BATCH) {
    const entries = Array.from({ length: Math.min(IN_BATCH, to - first) }, (_, index) => ({
      key: keyOf(first + index),
      value: `${version} of ${first + index}`,
    }));
    await post(region, "/batch/set", { entries });
  }
}

/** Every value that a region serves, by key. */
async function valuesOf(region: RunningRegion): Promise<Record<string, unknown>> {
  const values: Record<string, unknown> = {};
  for (let first = 0; first < KEYS; first += IN_BATCH) {
    const keys = Array.from({ length: IN_BATCH }, (_, index) => keyOf(first + index));
    const answer = await post(region, "/batch/get", { keys });
    const { entries } = (await answer.json()) as {
      readonly entries: readonly { readonly key: string; readonly value?: unknown }[];
    };
    for (const { key, value } of entries) if (value !== undefined) values[key] = value;
  }
  return values;
}

/** Waits until every region serves exactly these values. */
async function expectValues(expected: Record<string, string>): Promise<void> {
  for (const region of regions) {
    await until("a region has it all", async () =>
      isDeepStrictEqual(await valuesOf(region), expected),
    );
  }
}

it("an empty directory gets five thousand keys that two regions hold in parts, and each region every value", async () => {
  const [a, b] = [await start("a"), await start("b")];
  const expected: Record<string, string> = {};
  const set = async (
    region: RunningRegion,
    version: string,
    from: number,
    to: number,
  ): Promise<void> => {
    await write(region, version, from, to);
    for (let index = from; index < to; index += 1) {
      expected[keyOf(index)] = `${version} of ${index}`;
    }
  };
  await set(a, "common", ENDS, KEYS - ENDS);
  await expectValues(expected);
  const port = Number(new URL(directory.url).port);
  await directory.stop();
  // While there is no directory, the regions write the first keys, the last keys and one in the middle.
  await set(a, "a", 0, ENDS);
  await set(b, "b", KEYS - ENDS, KEYS);
  await write(a, "a", KEYS / 2, KEYS / 2 + 1);
  await set(b, "b", KEYS / 2, KEYS / 2 + 1);
  rmSync(join(folder, "directory"), { recursive: true, force: true });
  directory = await startSmallDirectory({ data: join(folder, "directory"), port });
  await expectValues(expected);
  await start("late");
  await expectValues(expected);
});
