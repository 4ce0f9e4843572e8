/**
 * How long a set takes to get from one region to another: a directory and four regions as processes on this machine,
 * sets over HTTP to one region, and this process as one more node that notes when it hears of each.
 *
 * What is measured includes the work of this process, which sends and observes on one thread, and shares the machine with all the others.
 *
 * Usage: node … test/bench/replication-lag.ts [--nats <servers> [--far <milliseconds>]] [--ack <level>] [sets per second]…
 *
 * With `--nats`, the directory keeps its log in a stream of so many nats-servers on this machine, which share it with all the rest. With `--far`, another
 * directory writes that stream, and everything takes so long in each direction between it and the one that all regions are at.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { FIVE_PLACES, getJson, Program, until } from "@meridian/harness";

import { HttpConnection } from "./http-connection.ts";
import { farLine, type FarLine } from "../support/far-line.ts";
import { freePort } from "../support/free-port.ts";
import { NatsServers } from "../support/nats-servers.ts";
import { observe } from "./observer.ts";
import { differences, percentile, Timeline, type SetKey } from "./paced-sets.ts";

const REGIONS = FIVE_PLACES.slice(0, 4);
const VALUE_BYTES = 100;
const WARM_UP_SECONDS = 3;
const SECONDS = 10;
const CONNECTIONS = 128;
/** Sets that are sent later than this after they were due say that the machine has no time to measure. */
const LATE_MS_MAX = 50;

function describe(what: string, sorted: Float64Array): string {
  const [p50, p90, p99, max] = [0.5, 0.9, 0.99, 1].map((share) =>
    percentile(sorted, share).toFixed(2).padStart(8),
  );
  return `  ${what.padEnd(28)} p50 ${p50}  p90 ${p90}  p99 ${p99}  max ${max} ms`;
}

function report(timeline: Timeline, rate: number): void {
  const { count, dueMs, sentMs, answeredMs, heardMs } = timeline;
  const late = differences(dueMs, sentMs);
  const last = (sentMs[count - 1] ?? NaN) - (sentMs[0] ?? NaN);
  const reached = Math.round(((count - 1) * 1_000) / last);
  console.log(`${rate} sets/s of ${VALUE_BYTES} B for ${SECONDS} s: all ${count} arrived`);
  if (reached < 0.98 * rate) {
    console.log(`  this machine cannot: ${reached} sets/s were reached, and the lags are of that`);
  } else if (percentile(late, 0.99) > LATE_MS_MAX) {
    console.log("  this machine was busy with other work: sets were sent late");
  }
  console.log(describe("sent behind schedule", late));
  console.log(describe("lag from send", differences(sentMs, heardMs)));
  console.log(describe("lag from the answer", differences(answeredMs, heardMs)));
  console.log(describe("send to answer", differences(sentMs, answeredMs)));
}

async function startPrograms(
  folder: string,
  programs: Program[],
  log: readonly string[],
  far: FarLine | undefined,
): Promise<string[]> {
  const start = async (name: string, args: readonly string[]): Promise<string> => {
    const kind = name === "directory" ? name : "region";
    const common = ["--port=0", `--data=${join(folder, name)}`];
    const program = await Program.start({ name, program: kind, args: [...common, ...args] });
    programs.push(program);
    return program.url;
  };
  const directory = await start("directory", log);
  const beside = far === undefined ? undefined : await startBeside(folder, programs, far);
  const at = beside ?? directory;
  const regions = await Promise.all(
    REGIONS.map(({ id, lat, lon }) =>
      start(id, [`--id=${id}`, `--lat=${lat}`, `--lon=${lon}`, `--directory=${at}`]),
    ),
  );
  const readies = (): boolean =>
    programs.slice(-REGIONS.length).every(({ status }) => status === "ready");
  await until("every region is ready", readies);
  return [at, ...regions];
}

/** Takes the connection that has been idle for longest: a region closes one after ten seconds, and what is then sent on it is never answered. */
function oneOf(pool: HttpConnection[], ack: string): SetKey | undefined {
  const connection = pool.shift();
  if (connection === undefined) return undefined;
  return async (key) => {
    const status = await connection.put(`/cache/${key}?ack=${ack}`, "v".repeat(VALUE_BYTES));
    if (status !== 200) throw new Error(`Expected 200, got ${status}`);
    pool.push(connection);
  };
}

/** Starts a directory that serves beside the one that writes. It prints no address while it does not write. */
async function startBeside(folder: string, programs: Program[], far: FarLine): Promise<string> {
  const port = await freePort();
  const args = [`--port=${port}`, `--data=${join(folder, "beside")}`, `--log=${far.url}`];
  const program = await Program.spawn({ name: "beside", program: "directory", args });
  programs.push(program);
  const serves = (): boolean => program.lines.some((line) => line.includes("serves nodes beside"));
  await until("the second directory serves", serves, 60_000);
  const url = `http://127.0.0.1:${port}`;
  const isReady = async (): Promise<boolean> => (await fetch(`${url}/readyz`)).ok;
  await until("it has heard of the first", isReady, 60_000);
  return url;
}

/** How a run is set up. */
interface Setup {
  readonly nats: number;
  readonly farMs: number;
  readonly ack: string;
}

async function main(rates: readonly number[], { nats, farMs, ack }: Setup): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "meridian-bench-"));
  const programs: Program[] = [];
  const servers = new NatsServers({ servers: nats });
  let far: FarLine | undefined;
  try {
    if (nats > 0) await servers.start();
    const log = nats > 0 ? [`--log=${servers.url}`] : [];
    if (farMs > 0) far = await farLine(servers.url, farMs);
    const urls = await startPrograms(folder, programs, log, far);
    const [directory = "", writer = ""] = urls;
    let timeline = new Timeline("none", 0);
    const observer = await observe(directory, (key, bytes) => {
      if (bytes !== VALUE_BYTES) throw new Error(`Expected ${VALUE_BYTES} bytes, got ${bytes}`);
      timeline.hear(key);
    });
    const pool = await Promise.all(
      Array.from({ length: CONNECTIONS }, () => HttpConnection.open(writer)),
    );
    for (const rate of rates) {
      for (const [kind, seconds] of [
        ["warm-up", WARM_UP_SECONDS] as const,
        ["run", SECONDS] as const,
      ]) {
        timeline = new Timeline(`${kind}-${rate}`, rate * seconds);
        await timeline.send(rate, () => oneOf(pool, ack));
      }
      report(timeline, rate);
    }
    await until("every party holds the same", async () => {
      const digests = urls.map((url) => getJson<{ fingerprint: string }>(`${url}/digest`));
      const prints = (await Promise.all(digests)).map(({ fingerprint }) => fingerprint);
      return new Set(prints).size === 1;
    });
    for (const connection of pool) connection.close();
    await observer.stop();
    for (const program of programs.toReversed()) await program.stop();
  } finally {
    for (const program of programs) await program.kill();
    far?.close();
    await servers.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

const { positionals, values } = parseArgs({
  options: {
    nats: { type: "string", default: "0" },
    far: { type: "string", default: "0" },
    ack: { type: "string", default: "local" },
  },
  allowPositionals: true,
});
const asked = positionals.map(Number);
if (asked.some((rate) => !Number.isInteger(rate) || rate < 1)) {
  throw new Error("Expected sets per second as whole numbers");
}
const { nats, far, ack } = values;
await main(asked.length > 0 ? asked : [1_000, 10_000], {
  nats: Number(nats),
  farMs: Number(far),
  ack,
});
