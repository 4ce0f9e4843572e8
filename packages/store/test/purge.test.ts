import { statSync } from "node:fs";
import { stampTimeOf, tombstone, unixMsOf, type Entry } from "@meridian/protocol";
import { openDirectoryLog, openReplicaStore } from "@meridian/store";
import { afterAll, describe, expect, it } from "vitest";
import { entry, frame, outcome, remote } from "./records.ts";
import { folded, purged, StoreFolder, until } from "./store-folder.ts";

const folder = new StoreFolder();
afterAll(() => folder.remove());

const gone = (key: string, time: number): Entry => tombstone(key, { time, origin: 1 });

describe("a purge", () => {
  it("removes exactly the purgeable entries, also in the last row, and counts the rest", async () => {
    const horizon = stampTimeOf(1_750_000_000_000);
    const atMs = unixMsOf(horizon);
    const entries = [
      gone("deleted", 5),
      gone("deleted later", horizon + 1),
      { ...entry("expired", 6), expiresAtMs: atMs },
      { ...entry("expires", 7), expiresAtMs: atMs + 1 },
      { ...entry("expired, made later", horizon + 2), expiresAtMs: atMs },
      entry("lives", 8),
      gone("the last row", horizon),
    ];
    const store = await openReplicaStore(folder.options("exact", { sweepEveryMs: 2 }));
    await outcome(store, remote(entries));
    await folded(store);
    await outcome(store, { kind: "progress", horizon });
    await purged(store);
    const left = ["deleted later", "expired, made later", "expires", "lives"];
    expect(store.list({ limit: 100 }).entries.map(({ key }) => key)).toEqual(left);
    expect(store.stats().entries).toBe(4);
    await outcome(store, remote([entry("new", horizon + 3), entry("newer", horizon + 4)]));
    await folded(store);
    expect(store.stats().entries).toBe(6);
    await outcome(store, { kind: "progress", horizon: horizon + 2 });
    await purged(store);
    await store.close();
    const reopened = await openReplicaStore(folder.options("exact"));
    const keys = reopened.list({ limit: 100 }).entries.map(({ key }) => key);
    expect(keys).toEqual(["expires", "lives", "new", "newer"]);
    expect(reopened.stats().entries).toBe(4);
    await reopened.close();
  });

  it("goes on after a restart if the horizon of the replica is durable", async () => {
    const store = await openReplicaStore(folder.options("resumed"));
    const dead = Array.from({ length: 5_000 }, (_, at) => gone(`k${at}`, at + 1));
    await outcome(store, remote(dead));
    await folded(store);
    await outcome(store, { kind: "progress", horizon: 10_000 });
    await store.abort();
    const reopened = await openReplicaStore(folder.options("resumed", { sweepEveryMs: 2 }));
    await purged(reopened);
    expect([reopened.horizon, reopened.stats().entries]).toEqual([10_000, 0]);
    await reopened.close();
  });
});

describe("a purge beside the journal", () => {
  it("shows no older entry of the journal in place of a purged tombstone", async () => {
    const store = await openReplicaStore(folder.options("older", { sweepEveryMs: 2 }));
    const isHidden = (key: string): boolean => store.get(key)?.deleted ?? true;
    for (let round = 0; round < 10; round += 1) {
      const base = round * 10;
      const key = `k${round}`;
      await outcome(store, remote([gone(key, base + 5), entry(`other${round}`, base + 5)]));
      await folded(store);
      const raised = outcome(store, { kind: "progress", horizon: base + 6 });
      void outcome(store, remote([entry(key, base + 4)]));
      await raised;
      // The writer thread goes on, while this thread handles none of its messages.
      for (let reads = 0; reads < 2_000; reads += 1) expect(isHidden(key)).toBe(true);
      await purged(store);
      expect(isHidden(key)).toBe(true);
    }
    await store.close();
  });

  it("shows a folded purgeable entry, and not an older entry that is not folded", async () => {
    const store = await openReplicaStore(folder.options("hidden"));
    await outcome(store, remote([gone("a", 5), gone("b", 5)]));
    await folded(store);
    void outcome(store, remote([entry("a", 4), entry("b", 6)]));
    expect(store.summariesAfter(null, 10, 5)).toEqual([
      { key: "b", stamp: { time: 6, origin: 1 } },
    ]);
    await store.close();
  });
});

describe("a purge that dies", () => {
  const steps = Array.from({ length: 12 }, (_, index) => 12 + index * 3);
  it.each(steps)("at step %i of the writer has reported all removed entries", async (dieAtStep) => {
    const name = `dies-${dieAtStep}`;
    const log = await openDirectoryLog(
      folder.options(name, { dieAtStep, sweepEveryMs: 2, redo: false }),
    );
    const entries = Array.from({ length: 4_000 }, (_, at) =>
      at % 3 === 0 ? entry(`k${at}`, at + 1) : gone(`k${at}`, at + 1),
    );
    await outcome(log, frame(0, entries, 1));
    log.purge(3_000, 2_500);
    await until(() => log.stats().failed || !log.stats().purging);
    await log.abort();
    const reopened = await openDirectoryLog(folder.options(name));
    await folded(reopened);
    const held = new Set(reopened.summariesAfter(null, 10_000, 0).map(({ key }) => key));
    const missing = entries.flatMap(({ key }, at) => (held.has(key) ? [] : [at + 1]));
    expect(reopened.purgedThrough).toBe(missing.at(-1) ?? 0);
    expect(missing.every((sequence) => sequence <= 2_500 && sequence % 3 !== 1)).toBe(true);
    expect(reopened.stats().entries).toBe(held.size);
    await reopened.close();
  });
});

describe("the file", () => {
  it("does not grow with churn over many horizons: the space is used again", async () => {
    const options = folder.options("churn", {
      sweepEveryMs: 2,
      walIdleBytes: 64 * 1024,
      recentEntriesMax: 1,
    });
    const log = await openDirectoryLog(options);
    let largest = 0;
    let written = 0;
    let time = 0;
    for (let round = 0; round < 16; round += 1) {
      const made = Array.from({ length: 1_000 }, (_, at) => entry(`${round}/${at}`, ++time, 200));
      const removed = made.map(({ key }) => gone(key, ++time));
      for (const entries of [made, removed]) {
        const next = frame(log.committedThrough, entries, time);
        written += next.block.byteLength;
        await outcome(log, next);
      }
      log.purge(time, log.committedThrough);
      await purged(log);
      expect(log.stats().entries).toBe(0);
      await until(() => log.stats().walBytes <= 64 * 1024);
      largest = Math.max(largest, log.stats().databaseBytes);
    }
    expect(log.purgedThrough).toBe(log.committedThrough);
    expect(log.stats().swept).toEqual({ horizon: time, through: log.committedThrough });
    expect(largest).toBeLessThan(written / 3);
    await log.close();
  });

  it("shrinks when most of it is free", async () => {
    const tuning = { sweepEveryMs: 2, walIdleBytes: 0 };
    const store = await openReplicaStore(folder.options("shrinks", tuning));
    const made = Array.from({ length: 2_000 }, (_, at) => entry(`k${at}`, at + 1, 3_000));
    await outcome(store, remote(made));
    await outcome(store, { kind: "progress" });
    await folded(store);
    await store.close();
    const before = statSync(folder.file("shrinks")).size;
    const reopened = await openReplicaStore(folder.options("shrinks", tuning));
    await outcome(reopened, remote(made.map(({ key }) => gone(key, 10_000))));
    await outcome(reopened, { kind: "progress", horizon: 10_000 });
    await purged(reopened);
    // The writer frees pages when it has nothing else to do, and the next checkpoint truncates the file.
    await until(
      () => reopened.stats().walBytes === 0 && reopened.stats().databaseBytes < before / 2,
    );
    await reopened.close();
    expect(before).toBeGreaterThan(6_000_000);
  });
});
