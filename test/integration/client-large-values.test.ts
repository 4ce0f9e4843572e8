/** The client against a region that takes smaller values than it is given. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { connect, type MeridianClient } from "@meridian/client";
import type { RunningDirectory } from "@meridian/directory";
import { MeridianError } from "@meridian/protocol";
import type { RunningRegion } from "@meridian/region";
import { afterEach, beforeEach, expect, it } from "vitest";
import { startSmallDirectory, startSmallRegion, until } from "@meridian/harness";

let folder: string;
let directory: RunningDirectory;
let region: RunningRegion;
let client: MeridianClient;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "meridian-large-"));
  directory = await startSmallDirectory({ data: join(folder, "directory") });
  region = await startSmallRegion({
    id: "oslo",
    data: join(folder, "oslo"),
    valueBytesMax: 1024 * 1024,
    cacheBytes: 64 * 1024 * 1024,
    directory: [directory.url],
  });
  await until("the region is ready", () => region.status === "ready");
  client = await connect({ directory: directory.url, location: { lat: 0, lon: 0 } });
});

afterEach(async () => {
  client.close();
  await region.stop();
  await directory.stop();
  rmSync(folder, { recursive: true, force: true });
});

it.each([2, 20, 60])(
  "a value of %i MiB is refused with its code, conditional or not, and opens no circuit",
  async (mebibytes) => {
    const value = new Uint8Array(mebibytes * 1024 * 1024);
    for (const options of [{ ifAbsent: true }, {}]) {
      const refusal: unknown = await client.set("key", value, options).catch((cause) => cause);
      expect(refusal).toBeInstanceOf(MeridianError);
      expect(refusal).toMatchObject({
        code: "VALUE_TOO_LARGE",
        details: { bytesMax: 1024 * 1024 },
      });
      expect((refusal as MeridianError).details).not.toHaveProperty("mayHaveBeenApplied");
      expect(client.nodes.map(({ circuit }) => circuit)).toEqual(["closed"]);
    }
    await client.set("key", new Uint8Array(1024 * 1024));
    expect((await client.get<Uint8Array>("key"))?.length).toBe(1024 * 1024);
  },
);

it("many values that are too large for one answer are all read", async () => {
  const keys = Array.from({ length: 20 }, (_, n) => `k${n}`);
  const value = "x".repeat(900_000);
  for (const key of keys) await client.set(key, value);
  const values = await Promise.all(keys.map((key) => client.get(key)));
  expect(values.every((each) => each === value)).toBe(true);
});
