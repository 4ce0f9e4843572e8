/** A log that was in a data folder moves into a stream, and back. */
import { openDirectoryLog } from "@meridian/store";
import { describe, expect, it, onTestFinished } from "vitest";

import type { StreamLog } from "../src/stream-log.ts";
import {
  append,
  clock,
  entry,
  open as openLog,
  type OpenOptions,
  promised,
  serverOf,
  storeOptions,
  told,
} from "./memory-logs.ts";

/** Each test has streams and folders of its own, also where it is tried again. */
let tests = 0;

function names<Name extends string>(...roles: Name[]): Record<Name, string> {
  tests += 1;
  const named = roles.map((role) => [role, `${role}-${tests}`] as const);
  return Object.fromEntries(named) as Record<Name, string>;
}

async function open(stream: string, data: string, options?: OpenOptions): Promise<StreamLog> {
  const log = await openLog(stream, data, options);
  onTestFinished(() => log.close());
  return log;
}

/** A log in the data folder `name`, with two entries, a member and a bound of stamps. */
async function fill(name: string): Promise<{ logId: number; epoch: number }> {
  const log = await openDirectoryLog(storeOptions(name));
  await append(log, 0, [entry("a", 1)]);
  await append(log, 1, [entry("b", 2)]);
  await promised((done) => log.admit(9_000, done));
  const place = { region: "r", url: "http://r", ip: "10.0.0.1", port: 1, lat: 0, lon: 0 };
  const member = { id: "n", ...place, generation: 3, seenAtMs: 5 };
  await promised((done) => log.remember([member], [], done));
  await log.close();
  return log;
}

/** Resolves once the streams have a snapshot. */
async function kept(stream: string): Promise<void> {
  const { messages } = serverOf(`${stream}-snapshots`);
  const isKept = (): boolean => messages.some(({ subject }) => subject === "epoch");
  await expect.poll(isKept, { timeout: 60_000 }).toBe(true);
}

describe("a log that moves from its data folder into empty streams", () => {
  it("is the same log, with its epochs, and an empty disk gets all of it", async () => {
    const { stream, data, other } = names("stream", "data", "other");
    const before = await fill(data);
    const log = await open(stream, data);
    expect([log.logId, log.committedThrough, log.admittedTime]).toEqual([before.logId, 2, 9_000]);
    expect(log.epochs.map(([epoch]) => epoch)).toContain(before.epoch);
    await append(log, 2, [entry("c", 3)]);
    await kept(stream);
    const all = await told(log);
    await log.close();
    const copy = await open(stream, other);
    expect(await told(copy)).toEqual(all);
    expect(copy.members.map(({ id }) => id)).toEqual(["n"]);
  });

  it("goes on where its process died between the first message and the note of it", async () => {
    const { stream, data } = names("stream", "data");
    const before = await fill(data);
    const dying = await open(stream, data);
    await kept(stream);
    await dying.close();
    // As it was before the note.
    const state = await openDirectoryLog(storeOptions(data));
    await promised((done) => state.leaveStream(done));
    await state.close();
    serverOf(stream).cut(1);
    serverOf(`${stream}-snapshots`).cut(0);
    const log = await open(stream, data);
    expect([log.logId, log.committedThrough]).toEqual([before.logId, 2]);
    await kept(stream);
  });

  it("has no other directory begin before a snapshot has what it was", async () => {
    const { stream, data, other } = names("stream", "data", "other");
    await fill(data);
    const first = await open(stream, data);
    await kept(stream);
    await first.close();
    serverOf(`${stream}-snapshots`).cut(0);
    const ownClock = { ...clock, elapsedMs: () => clock.elapsedMs() * 100 };
    await expect(open(stream, other, { ownClock })).rejects.toMatchObject({
      code: "STORE_FAILED",
      message: expect.stringContaining("no snapshot of it is there yet") as string,
    });
    await open(stream, data);
    await kept(stream);
  });

  it("is refused where the streams have another log", async () => {
    const { stream, data, other } = names("stream", "data", "other");
    const log = await open(stream, other);
    await append(log, 0, [entry("a", 1)]);
    await log.close();
    await fill(data);
    await expect(open(stream, data)).rejects.toMatchObject({ code: "INVALID_CONFIG" });
    const again = await openDirectoryLog(storeOptions(data));
    expect(again.committedThrough).toBe(2);
    await again.close();
  });
});

it("a log that has left its stream has the epochs of the stream, whichever directories wrote it", async () => {
  const { stream, data, other } = names("stream", "data", "other");
  const begun = await fill(data);
  const first = await open(stream, data);
  await append(first, 2, [entry("c", 3)]);
  await kept(stream);
  await first.close();
  // From the snapshot, and what the stream has behind it.
  const second = await open(stream, other);
  await append(second, 3, [entry("d", 4)]);
  await append(second, 4, [entry("e", 5)]);
  await second.close();
  // An opening that begins no epoch in the stream.
  await (await openDirectoryLog(storeOptions(other))).close();
  const third = await open(stream, other);
  await append(third, 5, [entry("f", 6)]);
  await third.close();
  const state = await openDirectoryLog(storeOptions(other));
  await promised((done) => state.leaveStream(done));
  await state.close();
  const again = await openDirectoryLog(storeOptions(other));
  onTestFinished(() => again.close());
  expect(again.epochs).toEqual([
    [begun.epoch, 0],
    [first.epoch, 2],
    [second.epoch, 3],
    [third.epoch, 5],
    [state.epoch, 6],
    [again.epoch, 6],
  ]);
});

it("a log that has left its stream is the same log in its data folder, and does not come back into that stream", async () => {
  const { stream, data } = names("stream", "data");
  const log = await open(stream, data);
  await append(log, 0, [entry("a", 1)]);
  await log.close();
  const state = await openDirectoryLog(storeOptions(data));
  await promised((done) => state.leaveStream(done));
  expect([state.place, state.logId, state.committedThrough]).toEqual([undefined, log.logId, 1]);
  await append(state, 1, [entry("b", 2)]);
  await state.close();
  await expect(open(stream, data)).rejects.toMatchObject({ code: "INVALID_CONFIG" });
});
