/** Logs over streams in memory, for tests. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { DirectoryLog } from "@meridian/ports";
import { encodeBlock, highestTimeOf, type Entry, type LogFrame } from "@meridian/protocol";
import { silentLogger, systemClock, systemRandom, type Clock } from "@meridian/runtime";
import type { SqliteDirectoryLog, StoreOptions } from "@meridian/store";
import { afterAll } from "vitest";

import { openOverStream, type OpeningOptions } from "../src/opening.ts";
import { SqliteFolder } from "../src/sqlite-folder.ts";
import type { StreamLog } from "../src/stream-log.ts";
import { MemoryServer } from "./memory-stream.ts";

/** The folder of the databases, each in one of its own. */
export const folder: string = mkdtempSync(join(tmpdir(), "meridian-stream-log-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const servers = new Map<string, MemoryServer>();

export function serverOf(name: string): MemoryServer {
  const found = servers.get(name) ?? new MemoryServer();
  servers.set(name, found);
  return found;
}

/** A clock whose timers do not wait for long: what is waited for here has happened before. */
export const clock: Clock = {
  nowMs: () => systemClock.nowMs(),
  elapsedMs: () => systemClock.elapsedMs(),
  after: (delayMs, callback) => systemClock.after(delayMs / 50, callback),
};

export function storeOptions(database: string): StoreOptions {
  const parts = { clock, random: systemRandom, logger: silentLogger };
  const path = join(folder, database, "directory.db");
  return { path, durability: "process", tuning: { sweepEveryMs: 2 }, ...parts };
}

export interface OpenOptions {
  readonly cluster?: string;
  readonly onLost?: () => void;
  readonly onCutOff?: () => void;
  readonly onStandby?: () => void;
  readonly serveBeside?: OpeningOptions<SqliteDirectoryLog>["serveBeside"];
  readonly snapshotBytes?: number;
  readonly silenceMs?: number;
  readonly ownClock?: Clock;
}

/** Opens a log on the stream `stream` and the database `database`. */
export function open(
  stream: string,
  database = stream,
  { cluster = "c", onLost = () => {}, silenceMs = 0, ownClock, ...more }: OpenOptions = {},
): Promise<StreamLog> {
  const store = { ...storeOptions(database), ...(ownClock && { clock: ownClock }) };
  const streams = {
    stream: serverOf(stream).connect(),
    snapshots: serverOf(`${stream}-snapshots`).connect(),
  };
  const { clock: storeClock, logger, random } = store;
  const parts = { cluster, folder: new SqliteFolder(store), clock: storeClock, logger, random };
  return openOverStream(streams, { ...parts, onLost, silenceMs, ...more });
}

export async function idle({ state }: StreamLog): Promise<void> {
  for (;;) {
    const { unfoldedEntries, pendingRecords, purging } = state.stats();
    if (unfoldedEntries === 0 && pendingRecords === 0 && !purging) return;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

export function entry(key: string, time: number, bytes = 3): Entry {
  const stamp = { time, origin: 1 };
  const value = new Uint8Array(bytes).fill(time);
  return { key, stamp, value, contentType: "text/plain", expiresAtMs: 0, deleted: false };
}

export function append(log: DirectoryLog, after: number, entries: readonly Entry[]): Promise<void> {
  const [count, highestTime] = [entries.length, highestTimeOf(entries)];
  const order = { after, through: after + count, incarnation: 7, position: after + 1 };
  const frame: LogFrame = { ...order, count, highestTime, block: encodeBlock(entries) };
  return promised((done) => log.append(frame, done));
}

export function promised(start: (done: (failure?: Error) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    start((failure) => (failure === undefined ? resolve() : reject(failure)));
  });
}

/** Everything that a directory asks of its log. Bytes are told as text, which is compared at once. */
export async function told(log: StreamLog): Promise<unknown> {
  await promised((done) => log.settle(done));
  const { logId, committedThrough, admittedTime, horizonState, members } = log;
  const entries = log.summariesAfter(null, 100).map(({ key }) => {
    const { value, ...found } = log.get(key) ?? entry("none", 0);
    return { ...found, value: Buffer.from(value).toString("latin1") };
  });
  const frames = log.read(0, Infinity).map(({ block, ...frame }) => {
    return { ...frame, block: Buffer.from(block).toString("latin1") };
  });
  const mark = log.outboxMark(7);
  return { logId, committedThrough, admittedTime, horizonState, members, entries, mark, frames };
}
