/**
 * How long a directory whose disk is lost takes until it has the log from its stream again, beside one that writes, from the start of its process until
 * it is ready: the newest snapshot, and what the stream has behind it. It must then have as many entries as were written, and the sequence of the last.
 *
 * Usage: node … test/bench/refill.ts [--servers 3] [--entries 1000000] [--value-bytes 100] [--rounds 3]
 */
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import * as v from "valibot";

import { placeArguments, Program, until } from "@meridian/local-cluster";
import { openStreamLog, type StreamLog } from "@meridian/log-jetstream";
import { encodeBlock, highestTimeOf, type Entry } from "@meridian/protocol";
import { directoryStatus } from "@meridian/protocol/http-api";

import { freePort } from "../support/free-port.ts";
import { NatsServers } from "../support/nats-servers.ts";
import { idle, logOptions } from "../support/stream-logs.ts";

const CLUSTER = "refill";
const FRAME_ENTRIES = 1_000;
/** How many frames are on their way at a time. */
const WINDOW = 20;
const PATIENCE_MS = 600_000;

const { values } = parseArgs({
  options: {
    servers: { type: "string", default: "3" },
    entries: { type: "string", default: "1000000" },
    "value-bytes": { type: "string", default: "100" },
    rounds: { type: "string", default: "3" },
  },
});
const [servers, entries, valueBytes, rounds] = [
  Number(values.servers),
  Number(values.entries),
  Number(values["value-bytes"]),
  Number(values.rounds),
];

function append(log: StreamLog, after: number): Promise<void> {
  const value = new Uint8Array(valueBytes).fill(118);
  const frame = Array.from(
    { length: Math.min(FRAME_ENTRIES, entries - after) },
    (_, index): Entry => {
      const stamp = { time: after + index + 1, origin: 1 };
      const key = `key/${after + index}`;
      return { key, stamp, value, contentType: "text/plain", expiresAtMs: 0, deleted: false };
    },
  );
  const through = after + frame.length;
  return new Promise((resolve, reject) =>
    log.append(
      {
        after,
        through,
        count: frame.length,
        incarnation: 7,
        position: through,
        highestTime: highestTimeOf(frame),
        block: encodeBlock(frame),
      },
      (failure) => (failure === undefined ? resolve() : reject(failure)),
    ),
  );
}

async function fill(log: StreamLog): Promise<void> {
  for (let after = 0; after < entries;) {
    const frames: Promise<void>[] = [];
    for (let each = 0; each < WINDOW && after < entries; each += 1) {
      frames.push(append(log, after));
      after = Math.min(entries, after + FRAME_ENTRIES);
    }
    await Promise.all(frames);
  }
  await idle(log);
}

interface Directory {
  readonly program: Program;
  readonly url: string;
}

async function startDirectory(log: string, name: string): Promise<Directory> {
  const port = await freePort();
  const args = [...placeArguments("127.0.0.1", port, join(folder, name)), `--log=${log}`];
  const options = { name, program: "directory", args: [...args, `--cluster=${CLUSTER}`] } as const;
  return { program: await Program.spawn(options), url: `http://127.0.0.1:${port}` };
}

function isReady({ url, program }: Directory): Promise<true> {
  const asked = async (): Promise<boolean> => (await fetch(`${url}/readyz`)).ok;
  return until(`${program.name} is ready`, asked, PATIENCE_MS);
}

/** What is not folded yet counts twice. */
async function hasAll(url: string): Promise<boolean> {
  const { committedThrough, store } = v.parse(
    directoryStatus,
    await (await fetch(`${url}/status`)).json(),
  );
  if (committedThrough !== entries) {
    throw new Error(`Expected a log through ${entries}, got ${committedThrough}`);
  }
  return store.unfoldedEntries === 0 && store.entries === entries;
}

/** Starts a directory on an empty folder, and returns how long it took until it was ready, in milliseconds. */
async function refill(log: string, name: string): Promise<number> {
  const beganMs = performance.now();
  const directory = await startDirectory(log, name);
  try {
    await isReady(directory);
    const tookMs = performance.now() - beganMs;
    await until("it has every entry once", () => hasAll(directory.url), PATIENCE_MS);
    return tookMs;
  } finally {
    await directory.program.kill();
  }
}

const folder = mkdtempSync(join(tmpdir(), "meridian-bench-refill-"));
const nats = new NatsServers({ servers });
try {
  await nats.start();
  const path = join(folder, "filled", "directory.db");
  const log = await openStreamLog(logOptions(nats, CLUSTER, path));
  await fill(log);
  await log.close();
  const mebibytes = Math.round(statSync(path).size / 2 ** 20);
  process.stdout.write(
    `${entries} entries of ${valueBytes} B in ${servers} nats-servers, a database of ${mebibytes} MiB\n`,
  );
  const writer = await startDirectory(nats.url, "filled");
  await isReady(writer);
  for (let round = 0; round < rounds; round += 1) {
    const ms = await refill(nats.url, `round-${round}`);
    process.stdout.write(`  ready after ${(ms / 1_000).toFixed(1)} s\n`);
  }
  await writer.program.kill();
} finally {
  await nats.stop();
  rmSync(folder, { recursive: true, force: true });
}
