import { expect, test } from "vitest";

import { countsOf, paceOf } from "../src/top/counts.ts";
import { absentNodeOf, directoryStatusOf, nodeOf } from "./answers.ts";
import { run, serve } from "./command.ts";

const bucket = (le: string, count: number): string =>
  `meridian_http_request_seconds_bucket{method="GET",route="/cache/{key}",status="200",le="${le}"} ${count}`;

function metrics(more: number): string {
  return [
    "# TYPE meridian_reads_total counter",
    `meridian_reads_total{from="memory"} ${90 + more}`,
    'meridian_reads_total{from="store"} 5',
    'meridian_reads_total{from="nowhere"} 5',
    `meridian_written_entries_total ${more}`,
    bucket("0.001", 98),
    bucket("0.005", 99),
    bucket("+Inf", 100),
    'meridian_http_request_seconds_bucket{method="GET",route="/metrics",status="200",le="+Inf"} 9000',
  ].join("\n");
}

test("what has come about between two readings is told, and of the first what there was since the start", () => {
  const first = countsOf(metrics(0), 0);
  const pace = { writesPerSecond: null, hitRatio: 0.95, p99Ms: 5 };
  expect(paceOf(undefined, first)).toEqual(pace);
  const second = countsOf(metrics(60), 2_000);
  expect(paceOf(first, second)).toEqual({ writesPerSecond: 30, hitRatio: 1, p99Ms: null });
  // A process that has started since counts anew.
  expect(paceOf(second, first)).toEqual(pace);
});

test("of text that is no metrics nothing is known", () => {
  const counts = countsOf("<html>\nmeridian_reads_total x\nmeridian_reads_total 1 2 3\n", 0);
  expect(paceOf(undefined, counts)).toEqual({ writesPerSecond: null, hitRatio: null, p99Ms: null });
});

test("one frame shows the directory, every region, and the one that is gone", async () => {
  const region = await serve({ "GET /metrics": { body: Buffer.from(metrics(0)) } });
  const load = { entries: 1_234, bytes: 2_048, requestsPerSecond: 56.7 };
  const { url } = await serve({
    "GET /status": { body: directoryStatusOf({ head: 10, committedThrough: 8 }) },
    "GET /nodes": {
      body: {
        nodes: [
          nodeOf({ id: "oslo", url: region.url, load, lagMs: 3 }),
          nodeOf({ id: "rome", url: "http://127.0.0.1:1" }),
          absentNodeOf({ id: "sydney", url: "http://127.0.0.1:1", goneSinceMs: Date.now() }),
        ],
      },
    },
  });
  const { exitCode, stdout } = await run(["top", "--once", "--directory", url]);
  const [first, , head, oslo, rome, sydney] = stdout.toString().split("\n");
  expect(exitCode).toBe(0);
  expect(first).toMatch(/^c: directory 1, .*10 writes, 2 of them not on disk yet; 1 of 1 clocks/);
  expect(head?.split(/ {2,}/)[0]).toBe("REGION");
  expect(oslo).toMatch(/^oslo +ready +3 +0 +57 +- +95.0 +≤ 5 +1,234 +2.0 KiB$/);
  expect(rome).toMatch(/^rome +ready +0 +0 +0 +- +- +- +0 +0 bytes$/);
  expect(sydney).toMatch(/^sydney +gone, .*( +-){8}$/);
  const json = (await run(["top", "--once", "--json", "--directory", url])).stdout.toString();
  expect(JSON.parse(json)).toMatchObject({ nodes: [{ id: "oslo", hitRatio: 0.95 }, {}, {}] });
});

test.each([
  [["--every", "1ms"], 2],
  [["--every", "often"], 2],
  [["--once", "--directory", "http://127.0.0.1:1"], 1],
])("top %j exits with %d", async (argv, code) => {
  expect((await run(["top", ...argv])).exitCode).toBe(code);
});
