import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { startDirectory } from "@meridian/directory";
import { startRegion } from "@meridian/region";
import { silentLogger } from "@meridian/runtime";
import { expect, it, onTestFinished } from "vitest";
import { getJson, request, ROOT, until } from "@meridian/harness";

interface Gauge {
  readonly name: string;
  readonly now: number;
  readonly max: number;
}

const DOCUMENT = readFileSync(join(ROOT, "packages/ARCHITECTURE.md"), "utf8");

/** The gauges that the table in ARCHITECTURE.md gives to a region (`column` 2) or a directory (3). */
function documented(column: 2 | 3): string[] {
  const rows = DOCUMENT.split("\n").map((line) => line.split("|").map((cell) => cell.trim()));
  return (
    rows
      .filter((row) => row.length === 8 && row[column] === "yes")
      .map((row) => row[5]?.replaceAll("`", "") ?? "")
      // A queue without a gauge of its own.
      .filter((name) => name !== "–")
      .toSorted()
  );
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
    // Has a gauge of its own.
    shareHeat: true,
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

it("both programs have exactly the gauges that ARCHITECTURE.md lists, each below its bound", async () => {
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

/** One sample of Prometheus' text format: its name, its labels, if any, and its value. */
const SAMPLE =
  /^([a-z][a-z\d_]*)(\{[a-z]+="[^"\\\n]*"(,[a-z]+="[^"\\\n]*")*\})? (\+Inf|-?\d+(\.\d+)?(e[+-]\d+)?)$/;

/** The values of a program's `/metrics` by name and labels. */
async function metricsOf(url: string): Promise<ReadonlyMap<string, number>> {
  const response = await request(`${url}/metrics`);
  expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  const lines = (await response.text()).trimEnd().split("\n");
  const samples = lines.filter((line) => !/^# (HELP|TYPE) /.test(line));
  for (const line of samples) expect(line).toMatch(SAMPLE);
  const told = new Map(
    samples.map((line) => [line.replace(/ \S+$/, ""), Number(/\S+$/.exec(line)?.[0])]),
  );
  expect(told.size).toBe(samples.length);
  const types = lines.filter((line) => line.startsWith("# TYPE"));
  expect(new Set(types).size).toBe(types.length);
  return told;
}

it("both programs export each metric once, and every gauge with its bound", async () => {
  const urls = await startBoth();
  await until(
    "the region is ready",
    async () => (await request(`${urls.region}/readyz`)).ok || undefined,
  );
  await request(`${urls.region}/cache/k?ack=directory`, { method: "PUT", body: "value" });
  for (const key of ["k", "k", "none"]) await request(`${urls.region}/cache/${key}`);
  await request(`${urls.region}/nowhere`);
  await request(`${urls.directory}/nearest?lat=north`);
  for (const url of [urls.region, urls.directory]) {
    const told = await metricsOf(url);
    for (const { name, max } of await gaugesOf(url)) {
      const series = `meridian_${name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`;
      expect([series, told.has(series), told.get(`${series}_max`)]).toEqual([series, true, max]);
    }
    expect(told.get("process_cpu_seconds_total")).toBeGreaterThan(0);
    expect(told.get("process_resident_memory_bytes")).toBeGreaterThan(1e6);
  }
  expect(Object.fromEntries(await metricsOf(urls.region))).toMatchObject({
    'meridian_reads_total{from="memory"}': 2,
    'meridian_reads_total{from="nowhere"}': 1,
    meridian_written_entries_total: 1,
    meridian_write_seconds_count: 1,
    'meridian_write_seconds_bucket{le="+Inf"}': 1,
    'meridian_node_status{status="ready"}': 1,
    meridian_connected: 1,
    'meridian_http_request_seconds_count{method="PUT",route="/cache/{key}",status="200"}': 1,
    'meridian_http_request_seconds_count{method="GET",route="/cache/{key}",status="200"}': 2,
    'meridian_http_request_seconds_count{method="GET",route="/cache/{key}",status="404"}': 1,
    'meridian_http_request_seconds_count{method="GET",route="none",status="404"}': 1,
  });
  expect(Object.fromEntries(await metricsOf(urls.directory))).toMatchObject({
    'meridian_nodes{status="ready"}': 1,
    meridian_committed_entries_total: 1,
    'meridian_http_request_seconds_count{method="GET",route="/nearest",status="400"}': 1,
  });
});
