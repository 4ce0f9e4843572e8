/** The parts of the benchmarks that compute figures. */
import { spawn } from "node:child_process";
import { once } from "node:events";

import { describe, expect, it, onTestFinished } from "vitest";

import {
  cpuMs,
  parseCpuMs,
  parseResidentBytes,
  parseThreadMs,
  residentBytes,
  withDescendants,
} from "../bench/peers/accounts.ts";
import { runRow, type Contender } from "../bench/peers/rounds.ts";
import { median, medianRatio, percentile } from "../bench/peers/statistics.ts";
import { compare, comparisonLines } from "../bench/peers/verdict.ts";
import { parseWrk } from "../bench/peers/wrk.ts";

const WRK = `Running 1s test @ http://127.0.0.1:1/cache/a
  1 threads and 50 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.20ms  310.00us   9.12ms   90.00%
    Req/Sec    41.00k     1.20k   43.00k    70.00%
  41532 requests in 1.01s, 12.34MB read
Requests/sec:  41120.55
Transfer/sec:     12.22MB
`;

describe("statistics", () => {
  it("the median of an even number of values is between the two in the middle", () => {
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(median([3, 1, 2])).toBe(2);
    expect(median([])).toBeNaN();
  });

  it("a percentile is a value that was measured", () => {
    const values = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect(percentile(values, 0.5)).toBe(50);
    expect(percentile(values, 0.99)).toBe(99);
    expect(percentile([7], 0.99)).toBe(7);
    expect(percentile([], 0.5)).toBeNaN();
  });

  it("a ratio is taken within each round, so a slow round of both changes nothing", () => {
    expect(medianRatio([10, 100, 11], [10, 100, 10])).toBe(1);
  });
});

describe("wrk", () => {
  it("its report says how many requests there were", () => {
    expect(parseWrk(WRK)).toEqual({ requests: 41_532, requestsPerSecond: 41_120.55 });
  });

  it.each([
    "  Non-2xx or 3xx responses: 12\n",
    "  Socket errors: connect 0, read 3, write 0, timeout 0\n",
  ])("a report of failures is refused: %s", (line) => {
    expect(() => parseWrk(WRK.replace("Requests/sec", `${line}Requests/sec`))).toThrow(line.trim());
  });

  it("other output is refused", () => {
    expect(() => parseWrk("unable to connect")).toThrow("Expected the report of wrk");
  });
});

describe("the kernel's accounts", () => {
  it("processor time counts the process and its children that have ended", () => {
    const stat = `4242 (a b) c) S 1 4242 4242 0 -1 4194560 100 200 0 0 12 3 40 5 20 0 11 0 100 200 300\n`;
    expect(parseCpuMs(stat)).toBe(600);
    expect(() => parseCpuMs("")).toThrow("Expected the fields of a process");
  });

  it("processor time of a thread is in nanoseconds, and 0 where the kernel does not count it", () => {
    expect(parseThreadMs("1500000 200 3\n")).toBe(1.5);
    expect(parseThreadMs("")).toBe(0);
  });

  it("resident memory is in bytes", () => {
    expect(parseResidentBytes("Name:\tx\nVmRSS:\t    2048 kB\nThreads:\t3\n")).toBe(2 ** 21);
    expect(parseResidentBytes("Name:\tx\n")).toBe(0);
  });

  it.runIf(process.platform === "linux")("children of a server are part of it", async () => {
    const child = spawn("sh", ["-c", "echo ready; read line; exit 0"]);
    onTestFinished(async () => {
      child.stdin.end("\n");
      await once(child, "exit");
    });
    await once(child.stdout, "data");
    expect(withDescendants([process.pid])).toContain(child.pid);
    expect(cpuMs([process.pid])).toBeGreaterThan(0);
    expect(residentBytes([process.pid])).toBeGreaterThan(residentBytes([child.pid ?? NaN]));
    expect(() => cpuMs([2 ** 30])).toThrow("has ended");
  });
});

describe("rounds", () => {
  const order: string[] = [];
  const contender = (name: string, failAt = Infinity): Contender => {
    let rounds = 0;
    return {
      name,
      start: () => {
        order.push(`start ${name}`);
        return Promise.resolve({
          measure: () => {
            order.push(name);
            rounds += 1;
            return rounds < failAt
              ? Promise.resolve({ seconds: rounds })
              : Promise.reject(new Error("gone"));
          },
          stop: () => Promise.resolve(void order.push(`stop ${name}`)),
        });
      },
    };
  };

  it("contenders take turns, and each begins a round in turn", async () => {
    order.length = 0;
    const contenders = [contender("a"), contender("b")];
    const { samples } = await runRow({ name: "row", contenders, rounds: 2 }, () => {});
    expect(order).toEqual(["start a", "start b", "a", "b", "b", "a", "stop a", "stop b"]);
    expect(samples).toEqual({ a: { seconds: [1, 2] }, b: { seconds: [1, 2] } });
  });

  it("a contender that fails is left out, and stopped like the others", async () => {
    order.length = 0;
    const contenders = [contender("a"), contender("b", 2)];
    const result = await runRow({ name: "row", contenders, rounds: 3 }, () => {});
    expect(result.failures).toEqual({ b: "gone" });
    expect(result.samples["a"]).toEqual({ seconds: [1, 2, 3] });
    expect(order.slice(-2)).toEqual(["stop a", "stop b"]);
  });
});

describe("the verdict", () => {
  const samples = {
    before: { requestsPerSecond: [100, 200, 300], cpuMicros: [10, 20, 30], lagP99Ms: [1, 1, 1] },
    after: { requestsPerSecond: [90, 180, 270], cpuMicros: [10, 20, 31], lagP99Ms: [2, 2, 2] },
  };

  it("fewer requests a second and more processor time are both a higher cost", () => {
    const [rate, cpu, lag] = compare("get", samples, 1.05);
    expect(rate).toMatchObject({ before: 200, after: 180, ratio: 200 / 180, isWorse: true });
    expect(cpu).toMatchObject({ ratio: 1, isWorse: false });
    expect(lag).toMatchObject({ ratio: 2, isWorse: false });
  });

  it("a figure that one version lacks is worse", () => {
    expect(compare("get", { before: samples.before }, 1.05)[0]).toMatchObject({ isWorse: true });
  });

  it("is a table with one line for each figure", () => {
    const lines = comparisonLines(compare("get", samples, 1.05));
    expect(lines[1]).toMatch(/^get +requestsPerSecond +200 +180 +1\.11 +WORSE$/);
    expect(lines[3]).toContain("not judged");
  });
});
