/** What clients of one region read is in the memory of the others before anybody asks for it there. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import {
  getJson,
  putValue,
  request,
  startSmallDirectory,
  startSmallRegion,
  until,
} from "@meridian/harness";
import { expect, it, onTestFinished } from "vitest";

interface Status {
  readonly cache: {
    readonly reads: Readonly<Record<string, number>>;
    readonly heat: Readonly<Record<string, number>> | null;
  };
}

async function cacheOf(url: string): Promise<Status["cache"]> {
  return (await getJson<Status>(`${url}/status`)).cache;
}

/** Where a region has found the value that it answers with. */
async function tierOf(url: string, key: string): Promise<string | null> {
  const response = await request(`${url}/cache/${key}`);
  expect([response.status, await response.text()]).toEqual([200, `value of ${key}`]);
  return response.headers.get("meridian-cache");
}

it("a value that is read in one region is in the memory of those that share, and counts as read there once it is", async () => {
  const folder = mkdtempSync(join(tmpdir(), "meridian-heat-"));
  const directory = await startSmallDirectory({ data: join(folder, "directory") });
  const stops = [() => directory.stop()];
  onTestFinished(async () => {
    for (const stop of stops.toReversed()) await stop();
    rmSync(folder, { recursive: true });
  });
  const start = async (id: string, shareHeat: boolean): Promise<string> => {
    const data = join(folder, id);
    const region = await startSmallRegion({ id, data, directory: [directory.url], shareHeat });
    stops.push(() => region.stop());
    await until(`${id} is ready`, () => region.status === "ready");
    return region.url;
  };
  const [oslo, rome] = [await start("oslo", true), await start("rome", true)];
  const lima = await start("lima", false);
  for (const key of ["used", "unused", "spied"]) {
    await putValue(oslo, key, `value of ${key}`, { ack: "all" });
  }
  await request(`${oslo}/keys?values=true`);
  expect(await tierOf(oslo, "used")).toBe("memory");
  await until("rome has warmed it", async () => ((await cacheOf(rome)).heat?.["warmed"] ?? 0) > 0);

  expect((await cacheOf(rome)).reads).toEqual({ memory: 0, store: 0, misses: 0 });
  expect(await tierOf(rome, "used")).toBe("memory");
  expect(await tierOf(rome, "unused")).toBe("store");
  expect((await cacheOf(rome)).heat).toMatchObject({ heard: 1, warmed: 1, used: 1 });
  expect((await cacheOf(oslo)).heat).toMatchObject({ told: 1 });

  expect((await cacheOf(lima)).heat).toBeNull();
  expect(await tierOf(lima, "used")).toBe("store");
  const metrics = await (await request(`${rome}/metrics`)).text();
  expect(metrics).toContain('\nmeridian_heat_keys_total{way="heard"} 1\n');
  expect(metrics).toContain("\nmeridian_warmed_used_total 1\n");
});
