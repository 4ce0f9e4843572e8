/**
 * How many sets a second the log of a directory takes, in SQLite and in streams of NATS JetStream, one after the other in one run: first the log alone, in
 * frames of one set and of many, then a directory with two regions, whose clients wait for `ack=directory`, and how long a set takes from one of them
 * to another node. Beside each stream, the same with a bucket of NATS KV in as many servers, without Meridian.
 *
 * The clients send one set at a time each (a closed loop), so what a cluster carries is their number divided by how long an answer takes. Everything
 * shares this machine: the servers of NATS, too.
 *
 * Usage: node … test/bench/log.ts [--servers 0,1,3] [--seconds 5] [--clients 32,256] [--standbys 0] [--snapshot-bytes 67108864]
 *
 * `--servers`: of how many nats-servers the streams are; 0 for SQLite. `--standbys`: how many directories stand by. `--snapshot-bytes`: as
 * `--log-snapshot-bytes` of a directory.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import {
  FIVE_PLACES,
  placeArguments,
  Program,
  regionArguments,
  until,
} from "@meridian/local-cluster";
import { openStreamLog } from "@meridian/log-jetstream";
import type { DirectoryLog } from "@meridian/ports";
import { encodeBlock, highestTimeOf, type Entry, type LogFrame } from "@meridian/protocol";
import { silentLogger, systemClock, systemRandom } from "@meridian/runtime";
import { openDirectoryLog } from "@meridian/store";

import { NatsServers } from "../support/nats-servers.ts";
import { logOptions } from "../support/stream-logs.ts";
import { HttpConnection } from "./http-connection.ts";
import { observe } from "./observer.ts";
import { differences, percentile, Timeline, type SetKey } from "./paced-sets.ts";
import { NatsServers as Bucket } from "./peers/nats.ts";
import { inWorkplace } from "./peers/workplace.ts";

const VALUE_BYTES = 100;

/** How many frames of the log alone are not durable yet, and how many sets at most. */
const FRAMES = 1_000;
const SETS_MAX = 20_000;

const KEYS = 10_000;

/** How many sets a second there are where lags are measured. */
const LAG_RATE = 200;

interface Measured {
  readonly sets: number;
  readonly seconds: number;
  /** How long each frame, or each answer, took, in milliseconds, in ascending order. */
  readonly ms: Float64Array;
}

/** A log, and what ends it. */
interface Opened {
  readonly log: DirectoryLog;
  readonly close: () => Promise<void>;
}

async function openLog(servers: NatsServers | undefined, folder: string): Promise<Opened> {
  const path = join(folder, "directory.db");
  if (servers !== undefined) {
    const log = await openStreamLog(logOptions(servers, "bench", path));
    return { log, close: () => log.close() };
  }
  const parts = { clock: systemClock, random: systemRandom, logger: silentLogger };
  const log = await openDirectoryLog({ path, durability: "process", ...parts });
  return { log, close: () => log.close() };
}

/** Appends frames of so many sets for so long, with a bounded number of them on their way. */
async function measureLog(log: DirectoryLog, size: number, seconds: number): Promise<Measured> {
  const value = new Uint8Array(VALUE_BYTES).fill(118);
  const ms: number[] = [];
  const window = Math.max(1, Math.min(FRAMES, Math.floor(SETS_MAX / size)));
  const beganMs = performance.now();
  let [through, time, pending, sets] = [log.committedThrough, Math.max(1, log.highestTime), 0, 0];
  await new Promise<void>((resolve, reject) => {
    const more = (): void => {
      const isOver = performance.now() - beganMs > seconds * 1_000;
      if (isOver && pending === 0) return resolve();
      while (!isOver && pending < window) {
        const entries = Array.from({ length: size }, (_, index): Entry => {
          time += 1;
          const stamp = { time, origin: 1 };
          const key = `key/${(through + index) % KEYS}`;
          return { key, stamp, value, contentType: "text/plain", expiresAtMs: 0, deleted: false };
        });
        const [count, highestTime, after] = [size, highestTimeOf(entries), through];
        through += size;
        const order = { after, through, incarnation: 7, position: through };
        const frame: LogFrame = { ...order, count, highestTime, block: encodeBlock(entries) };
        const sentMs = performance.now();
        pending += 1;
        log.append(frame, (failure) => {
          if (failure !== undefined) return reject(failure);
          pending -= 1;
          sets += size;
          ms.push(performance.now() - sentMs);
          more();
        });
      }
    };
    more();
  });
  return {
    sets,
    seconds: (performance.now() - beganMs) / 1_000,
    ms: Float64Array.from(ms).toSorted(),
  };
}

/** Has clients set keys, each of which waits for the log. */
async function measureClients(
  set: (key: string, client: number) => Promise<void>,
  clients: number,
  seconds: number,
): Promise<Measured> {
  const ms: number[] = [];
  const beganMs = performance.now();
  const work = async (client: number): Promise<void> => {
    for (let each = 0; performance.now() - beganMs < seconds * 1_000; each += 1) {
      const sentMs = performance.now();
      await set(`${client}/${each % 50}`, client);
      ms.push(performance.now() - sentMs);
    }
  };
  await Promise.all(Array.from({ length: clients }, (_, client) => work(client)));
  const tookS = (performance.now() - beganMs) / 1_000;
  return { sets: ms.length, seconds: tookS, ms: Float64Array.from(ms).toSorted() };
}

/** Measures how long sets take until they are heard of. `hear` is told of each key that is. */
class Lags {
  #timeline = new Timeline("none", 0);
  #runs = 0;

  readonly hear = (key: string): void => this.#timeline.hear(key);

  async measure(set: SetKey, seconds: number): Promise<Measured> {
    this.#runs += 1;
    const run = new Timeline(`lag-${this.#runs}`, seconds * LAG_RATE);
    this.#timeline = run;
    await run.send(LAG_RATE, () => set);
    const tookMs = Math.max(...run.heardMs) - (run.sentMs[0] ?? NaN);
    const ms = differences(run.sentMs, run.heardMs);
    return { sets: run.count, seconds: tookMs / 1_000, ms };
  }
}

/** Has clients set keys through the regions of a directory, and another node hear of them. */
async function measureCluster(
  directory: string,
  regions: readonly string[],
  clients: readonly number[],
  seconds: number,
): Promise<void> {
  const value = "v".repeat(VALUE_BYTES);
  const pool = await Promise.all(
    Array.from({ length: Math.max(...clients) }, (_, client) =>
      HttpConnection.open(regions[client % regions.length] ?? ""),
    ),
  );
  const set = async (key: string, client: number): Promise<void> => {
    const status = await pool[client]?.put(`/cache/${key}?ack=directory`, value);
    if (status !== 200) throw new Error(`Expected 200, got ${status}`);
  };
  for (const each of clients) {
    await measureClients(set, each, 2);
    tell(`two regions, ${each} clients`, await measureClients(set, each, seconds));
  }
  const lags = new Lags();
  const observer = await observe(directory, lags.hear);
  // A connection carries one request at a time.
  const idle = pool.filter((_, client) => client % regions.length === 0);
  const setAtOne: SetKey = async (key) => {
    const connection = idle.shift() ?? (await HttpConnection.open(regions[0] ?? ""));
    const status = await connection.put(`/cache/${key}?ack=directory`, value);
    if (status !== 200) throw new Error(`Expected 200, got ${status}`);
    idle.push(connection);
  };
  await lags.measure(setAtOne, 2);
  tell("from a region to another node", await lags.measure(setAtOne, seconds));
  await observer.stop();
  for (const connection of new Set([...pool, ...idle])) connection.close();
}

/** The same with a bucket of NATS, without Meridian. Its clients share one connection. */
async function measureBucket(
  count: number,
  clients: readonly number[],
  seconds: number,
): Promise<void> {
  await inWorkplace(async (workplace) => {
    const servers = await Bucket.start(workplace, count);
    const value = "v".repeat(VALUE_BYTES);
    const set: SetKey = (key) => servers.set(key, value);
    for (const each of clients) {
      await measureClients(set, each, 2);
      tell(`NATS KV, ${each} clients`, await measureClients(set, each, seconds));
    }
    const lags = new Lags();
    await servers.watch(lags.hear);
    await lags.measure(set, 2);
    tell("NATS KV, from a client to a watch", await lags.measure(set, seconds));
    await servers.stop();
  });
}

async function withRegions(
  servers: NatsServers | undefined,
  folder: string,
  measure: (directory: string, regions: readonly string[]) => Promise<void>,
): Promise<void> {
  const programs: Program[] = [];
  const start = async (
    program: "directory" | "region",
    name: string,
    args: readonly string[],
  ): Promise<Program> => {
    const place = placeArguments("127.0.0.1", 0, join(folder, name));
    const started = await Program.start({ name, program, args: [...place, ...args] });
    programs.push(started);
    return started;
  };
  try {
    const often = `--log-snapshot-bytes=${values["snapshot-bytes"]}`;
    const log = servers === undefined ? [] : [`--log=${servers.url}`, often];
    const directory = await start("directory", "directory", log);
    for (let each = 0; servers !== undefined && each < Number(values.standbys); each += 1) {
      const name = `standby-${each}`;
      const args = [...placeArguments("127.0.0.1", 0, join(folder, name)), ...log];
      const standby = await Program.spawn({ name, program: "directory", args });
      programs.push(standby);
      await until(`${name} stands by`, () => standby.status === "standby");
    }
    const regions = await Promise.all(
      FIVE_PLACES.slice(0, 2).map((place) =>
        start("region", place.id, regionArguments(place, [directory.url])),
      ),
    );
    await until("every region is ready", () => regions.every(({ status }) => status === "ready"));
    const urls = regions.map(({ url }) => url);
    await measure(directory.url, urls);
  } finally {
    await Promise.all(programs.map((program) => program.kill()));
  }
}

function tell(what: string, { sets, seconds, ms }: Measured): void {
  const at = (share: number): string => percentile(ms, share).toFixed(1);
  const rate = Math.round(sets / seconds)
    .toString()
    .padStart(8);
  process.stdout.write(`  ${what.padEnd(36)}${rate} sets/s   p50 ${at(0.5)}  p99 ${at(0.99)} ms\n`);
}

async function measure(count: number, seconds: number, clients: readonly number[]): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "meridian-bench-log-"));
  const servers = count === 0 ? undefined : new NatsServers({ servers: count });
  try {
    await servers?.start();
    process.stdout.write(count === 0 ? "SQLite\n" : `a stream of ${count} nats-servers\n`);
    const { log, close } = await openLog(servers, join(folder, "alone"));
    for (const size of [1, 10, 100, 1_000]) {
      await measureLog(log, size, 1);
      tell(`the log alone, frames of ${size}`, await measureLog(log, size, seconds));
    }
    await close();
    await withRegions(servers, folder, (directory, regions) =>
      measureCluster(directory, regions, clients, seconds),
    );
  } finally {
    await servers?.stop();
    rmSync(folder, { recursive: true, force: true });
  }
  if (count > 0) await measureBucket(count, clients, seconds);
}

const { values } = parseArgs({
  options: {
    servers: { type: "string", default: "0,1,3" },
    seconds: { type: "string", default: "5" },
    clients: { type: "string", default: "32,256" },
    standbys: { type: "string", default: "0" },
    "snapshot-bytes": { type: "string", default: "67108864" },
  },
});
const numbers = (text: string): readonly number[] => text.split(",").map(Number);
for (const count of numbers(values.servers)) {
  await measure(count, Number(values.seconds), numbers(values.clients));
}
