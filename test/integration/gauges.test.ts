import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { startDirectory } from "@meridian/directory";
import { startRegion } from "@meridian/region";
import { silentLogger } from "@meridian/runtime";
import { expect, it, onTestFinished } from "vitest";

import { getJson } from "../support/region-requests.ts";
import { ROOT } from "../support/program.ts";

interface Gauge {
  readonly name: string;
  readonly now: number;
  readonly max: number;
}

const DOCUMENT = readFileSync(join(ROOT, "packages/ARCHITECTURE.md"), "utf8");

/** The gauges that the document says a program has: its column is the second or third. */
function documented(column: 2 | 3): string[] {
  const rows = DOCUMENT.split("\n").map((line) => line.split("|").map((cell) => cell.trim()));
  return rows
    .filter((row) => row.length === 8 && row[column] === "yes")
    .map((row) => row[5]?.replaceAll("`", "") ?? "")
    .toSorted();
}

async function gaugesOf(url: string): Promise<readonly Gauge[]> {
  return (await getJson<{ readonly gauges: readonly Gauge[] }>(`${url}/status`)).gauges;
}

async function startBoth(): Promise<{ readonly directory: string; readonly region: string }> {
  const folder = mkdtempSync(join(tmpdir(), "meridian-gauges-"));
  const common = {
    host: "127.0.0.1",
    port: 0,
    cluster: "test",
    durability: "process",
    logger: silentLogger,
  } as const;
  const directory = await startDirectory({
    ...common,
    data: join(folder, "directory"),
    lagMax: 10_000,
    horizon: 3_600_000,
  });
  const region = await startRegion({
    ...common,
    data: join(folder, "region"),
    id: "paris",
    region: "eu",
    lat: 48.9,
    lon: 2.4,
    directory: [directory.url],
    ip: null,
    url: null,
    allowOrigin: null,
    cacheEntries: 100,
    cacheBytes: 1_000_000,
    valueBytesMax: 1_000,
    ttlDefault: null,
  });
  onTestFinished(async () => {
    await region.stop();
    await directory.stop();
    rmSync(folder, { recursive: true });
  });
  return { directory: directory.url, region: region.url };
}

it("both programs have exactly the gauges that the document names, each under its bound", async () => {
  const urls = await startBoth();
  for (const [url, column] of [
    [urls.region, 2],
    [urls.directory, 3],
  ] as const) {
    const gauges = await gaugesOf(url);
    expect(gauges.map(({ name }) => name).toSorted()).toEqual(documented(column));
    for (const { now, max } of gauges) {
      expect(now).toBeGreaterThanOrEqual(0);
      expect(now).toBeLessThan(max);
    }
  }
});
