/** The log over a stream in memory: the contract of every directory's log, and what only a log in a stream does. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { DirectoryLog } from "@meridian/ports";
import {
  encodeBlock,
  highestTimeOf,
  tombstone,
  type Entry,
  type LogFrame,
} from "@meridian/protocol";
import { silentLogger, systemClock, systemRandom, type Clock } from "@meridian/runtime";
import { openDirectoryLog, type StoreOptions } from "@meridian/store";
import { directoryLogContract } from "@meridian/testkit";
import { afterAll, describe, expect, it } from "vitest";

import { openOverStream } from "../src/opening.ts";
import type { StreamLog } from "../src/stream-log.ts";
import { MemoryServer } from "./memory-stream.ts";

const folder = mkdtempSync(join(tmpdir(), "meridian-stream-log-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const servers = new Map<string, MemoryServer>();

function serverOf(name: string): MemoryServer {
  const found = servers.get(name) ?? new MemoryServer();
  servers.set(name, found);
  return found;
}

/** A clock whose timers do not wait for long: what is waited for here has happened before. */
const clock: Clock = {
  nowMs: () => systemClock.nowMs(),
  elapsedMs: () => systemClock.elapsedMs(),
  after: (delayMs, callback) => systemClock.after(delayMs / 50, callback),
};

function storeOptions(database: string): StoreOptions {
  const parts = { clock, random: systemRandom, logger: silentLogger };
  const path = join(folder, database, "directory.db");
  return { path, durability: "process", tuning: { sweepEveryMs: 2 }, ...parts };
}

/** Opens a log on the stream `stream` and the database `database`. */
function open(
  stream: string,
  database = stream,
  { cluster = "c", onLost = () => {} }: { cluster?: string; onLost?: () => void } = {},
): Promise<StreamLog> {
  const store = storeOptions(database);
  return openOverStream(serverOf(stream).connect(), { cluster, store, onLost, silenceMs: 0 });
}

async function idle({ state }: StreamLog): Promise<void> {
  for (;;) {
    const { unfoldedEntries, pendingRecords, purging } = state.stats();
    if (unfoldedEntries === 0 && pendingRecords === 0 && !purging) return;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

directoryLogContract<StreamLog>(
  "StreamLog over a stream in memory",
  { open, close: (log) => log.close(), crash: (log) => log.abort(), idle },
  5,
);

function entry(key: string, time: number, bytes = 3): Entry {
  const stamp = { time, origin: 1 };
  const value = new Uint8Array(bytes).fill(time);
  return { key, stamp, value, contentType: "text/plain", expiresAtMs: 0, deleted: false };
}

function append(log: DirectoryLog, after: number, entries: readonly Entry[]): Promise<void> {
  const [count, highestTime] = [entries.length, highestTimeOf(entries)];
  const order = { after, through: after + count, incarnation: 7, position: after + 1 };
  const frame: LogFrame = { ...order, count, highestTime, block: encodeBlock(entries) };
  return promised((done) => log.append(frame, done));
}

function promised(start: (done: (failure?: Error) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    start((failure) => (failure === undefined ? resolve() : reject(failure)));
  });
}

/** Everything that a directory asks of its log. Bytes are told as text, which is compared at once. */
async function told(log: StreamLog): Promise<unknown> {
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

describe("a log in a stream", () => {
  it("is the same on an empty disk, with a value of many parts", async () => {
    const first = await open("moved");
    await append(first, 0, [entry("a", 5), entry("big", 6, 1_000_000)]);
    await promised((done) => first.admit(900, done));
    await append(first, 2, [tombstone("a", { time: 8, origin: 2 })]);
    const horizonState = { horizon: 3, frozenUntilMs: 4, marks: [[1, 2]] as const };
    await promised((done) => first.saveHorizon(horizonState, done));
    const before = await told(first);
    await first.abort();
    const second = await open("moved", "moved-elsewhere");
    expect(await told(second)).toEqual(before);
    expect(second.epochs).toEqual([...first.epochs, [second.epoch, 3]]);
    await second.close();
  });

  it("has one writer: the older one fails at once, and its frames are not in the stream", async () => {
    const lost: string[] = [];
    const first = await open("fenced", "fenced-1", { onLost: () => lost.push("first") });
    await append(first, 0, [entry("a", 1)]);
    const second = await open("fenced", "fenced-2");
    // Of messages that are on their way together, the condition of the second one becomes true by the other's epoch.
    const tried = [1, 2, 3].map((after) => append(first, after, [entry("b", after)]));
    const said = (await Promise.allSettled(tried)).map(({ status }) => status);
    expect([said, lost]).toEqual([["rejected", "rejected", "rejected"], ["first"]]);
    await append(second, 1, [entry("c", 3)]);
    await promised((done) => second.admit(900, done));
    const held = await told(second);
    expect([second.get("b"), second.get("c")]).toEqual([undefined, entry("c", 3)]);
    await Promise.all([first.abort(), second.close()]);
    const third = await open("fenced", "fenced-3");
    expect(await told(third)).toEqual(held);
    await third.close();
  });
});

describe("a stream that is not as the database knows it", () => {
  it("that was set back is found, and goes on in a new epoch with what the stream has", async () => {
    const first = await open("restored");
    await append(first, 0, [entry("a", 1)]);
    const kept = serverOf("restored").messages.length;
    await append(first, 1, [entry("b", 2)]);
    await first.close();
    serverOf("restored").cut(kept);
    const second = await open("restored");
    expect([second.logId, second.committedThrough]).toEqual([first.logId, 1]);
    expect(second.epochs).toEqual([...first.epochs, [second.epoch, 1]]);
    expect(second.get("b")).toBeUndefined();
    expect(readdirSync(join(folder, "restored"))).toContain("directory.db.set-aside");
    await second.close();
  });

  it("that was set back and went on elsewhere is found, although it is as long as before", async () => {
    const first = await open("branched", "branched-1");
    await append(first, 0, [entry("a", 1)]);
    await append(first, 1, [entry("b", 2)]);
    await first.close();
    serverOf("branched").cut(2);
    const other = await open("branched", "branched-2");
    await append(other, 1, [entry("c", 3)]);
    await append(other, 2, [entry("d", 4)]);
    await other.close();
    const again = await open("branched", "branched-1");
    await promised((done) => again.settle(done));
    expect([again.get("b"), again.get("d")]).toEqual([undefined, entry("d", 4)]);
    await again.close();
  });

  it("that was deleted is begun anew, as another log", async () => {
    const first = await open("deleted");
    await append(first, 0, [entry("a", 1)]);
    await first.close();
    serverOf("deleted").cut(0);
    const second = await open("deleted");
    expect([second.logId === first.logId, second.committedThrough]).toEqual([false, 0]);
    await second.close();
  });

  it("of another cluster is refused", async () => {
    const log = await open("ours");
    await log.close();
    await expect(open("ours", "theirs", { cluster: "d" })).rejects.toThrow("of the cluster `d`");
  });

  it("does not take a folder that has a log of its own, and leaves it as it is", async () => {
    const plain = await openDirectoryLog(storeOptions("plain"));
    await append(plain, 0, [entry("a", 1)]);
    await plain.close();
    await expect(open("plain")).rejects.toThrow("has a log that is in no stream");
    const again = await openDirectoryLog(storeOptions("plain"));
    expect(again.committedThrough).toBe(1);
    await again.close();
  });
});
