import { seededRandom } from "@meridian/runtime";
import { openDirectoryLog, openReplicaStore, type StoreStats } from "@meridian/store";
import { ManualClock } from "@meridian/testkit";
import { afterAll, describe, expect, it } from "vitest";
import { entry, frame, local, outcome, remote } from "./records.ts";
import { folded, StoreFolder, until } from "./store-folder.ts";

const folder = new StoreFolder();
afterAll(() => folder.remove());

describe("expired values", () => {
  it("are emptied after the grace and still win against older stamps", async () => {
    const clock = new ManualClock();
    const startMs = clock.nowMs();
    const tuning = { expiredGraceMs: 60_000, redo: false };
    const options = { ...folder.options("expired"), clock, tuning };
    const store = await openReplicaStore(options);
    const expiring = { ...entry("gone", 50, 5_000), expiresAtMs: startMs + 20_000 };
    const staying = { ...entry("stays", 51, 5_000), expiresAtMs: startMs + 1e12 };
    await outcome(store, remote([expiring, staying, entry("plain", 52, 5_000)]));
    await folded(store);
    clock.advance(70_000);
    expect(store.get("gone")).toEqual(expiring);
    await until(() => {
      // The walk over the table rests between rounds, so one tick may come too early.
      clock.advance(20_000);
      return store.get("gone")?.value.byteLength === 0;
    });
    expect(store.get("gone")).toMatchObject({
      stamp: expiring.stamp,
      expiresAtMs: startMs + 20_000,
      contentType: "",
      deleted: true,
    });
    expect(store.get("stays")).toEqual(staying);
    expect(store.get("plain")).toEqual(entry("plain", 52, 5_000));
    await outcome(store, remote([entry("gone", 49)]));
    await folded(store);
    expect(store.get("gone")?.stamp.time).toBe(50);
    await store.close();
  });
});

describe("values that would have expired", () => {
  it("are kept while the time is not confirmed", async () => {
    const clock = new ManualClock();
    let asked = 0;
    const expiryNowMs = (): undefined => void (asked += 1);
    const store = await openReplicaStore({
      ...folder.options("timeless", { redo: false }),
      clock,
      expiryNowMs,
    });
    const expired = { ...entry("gone", 50), expiresAtMs: clock.nowMs() - 3_600_000 };
    await outcome(store, remote([expired]));
    await folded(store);
    for (let tick = 1; tick <= 20; tick += 1) {
      clock.advance(10_000);
      // The thread handles messages in order, so it has got the time before it commits this record.
      await outcome(store, { kind: "progress" });
    }
    expect(asked).toBeGreaterThanOrEqual(20);
    expect(store.get("gone")).toEqual(expired);
    await store.close();
  });
});

describe("the journal", () => {
  it("of a replica keeps no row that is folded and acknowledged", async () => {
    const store = await openReplicaStore(folder.options("trim"));
    for (let at = 1; at <= 600; at += 1) {
      void outcome(store, local(at, [entry(`k${at}`, at)]));
      void outcome(store, remote([entry(`r${at}`, at)]));
    }
    await outcome(store, { kind: "progress" });
    await until(() => store.stats().journalRows === 600);
    await outcome(store, { kind: "progress", outboxThrough: 598 });
    await until(() => store.stats().journalRows === 2);
    expect(store.outboxAfter(0, 1e9).map(({ position }) => position)).toEqual([599, 600]);
    expect(store.stats().entries).toBe(1_200);
    await store.close();
  });

  it("of the directory keeps the recent frames, and readers that are further behind get each key once", async () => {
    const log = await openDirectoryLog(folder.options("window", { recentEntriesMax: 50 }));
    for (let at = 0; at < 500; at += 1) {
      void outcome(log, frame(at, [entry(`k${at % 100}`, at + 1)], at + 1));
    }
    await new Promise<void>((resolve) => log.settle(() => resolve()));
    await outcome(log, frame(500, [entry("last", 501)], 501));
    await folded(log);
    await until(() => log.stats().journalRows <= 51);
    const read = log.read(0, 1e9);
    expect(read).toHaveLength(1);
    expect(read[0]).toMatchObject({ after: 0, through: 501, count: 101, incarnation: 0 });
    expect(log.read(460, 1e9)).toHaveLength(41);
    await log.close();
  });

  it("is folded by the next process if this one dies before it has folded", async () => {
    const store = await openReplicaStore(folder.options("left"));
    for (let at = 1; at <= 200; at += 1) {
      void outcome(store, local(at, [entry(`k${at}`, at, 2_000)]));
    }
    await outcome(store, { kind: "progress", outboxThrough: 200 });
    await store.abort();
    const reopened = await openReplicaStore({
      ...folder.options("left"),
      random: seededRandom(9),
    });
    expect(reopened.get("k200")).toEqual(entry("k200", 200, 2_000));
    await folded(reopened);
    const { entries, unfoldedBytes }: StoreStats = reopened.stats();
    expect([entries, unfoldedBytes]).toEqual([200, 0]);
    expect(reopened.get("k1")).toEqual(entry("k1", 1, 2_000));
    await reopened.close();
  });
});

describe("listing", () => {
  it("returns the live keys of a prefix in order, page by page, folded or not", async () => {
    const store = await openReplicaStore(folder.options("list"));
    const keys = Array.from({ length: 300 }, (_, at) => `p/${String(at).padStart(3, "0")}`);
    const stored = keys.map((key, at) => ({
      ...entry(key, at + 1, at),
      expiresAtMs: at % 10 === 0 ? 500 : 0,
    }));
    await outcome(store, remote([...stored.slice(0, 200), entry("a", 1), entry("q", 1)]));
    await folded(store);
    await outcome(store, remote(stored.slice(200)));
    const removed = { ...entry("p/005", 900, 0), contentType: "", deleted: true };
    void outcome(store, remote([removed, entry("p", 1)]));
    const listed: string[] = [];
    let after: string | undefined;
    for (let pages = 0; pages < 100; pages += 1) {
      const query = { prefix: "p/", limit: 7, liveAtMs: 1_000 };
      const page = store.list(after === undefined ? query : { ...query, after });
      for (const facts of page.entries) {
        expect(facts.bytes).toBe(store.get(facts.key)?.value.byteLength);
        listed.push(facts.key);
      }
      if (page.next === null) break;
      after = page.next;
    }
    expect(listed).toEqual(keys.filter((key, at) => at % 10 !== 0 && key !== "p/005"));
    expect(store.list({ limit: 1000 }).entries).toHaveLength(303);
    expect(store.list({ prefix: "zzz", limit: 5 })).toEqual({ entries: [], next: null });
    await store.close();
  });

  it("reads a bounded number of rows for each page", async () => {
    const store = await openReplicaStore(folder.options("dead"));
    const dead = Array.from({ length: 15_000 }, (_, at) => ({
      ...entry(`k${String(at).padStart(5, "0")}`, 1, 0),
      contentType: "",
      deleted: true,
    }));
    await outcome(store, remote(dead));
    await folded(store);
    const page = store.list({ limit: 10, liveAtMs: 1 });
    expect(page).toEqual({ entries: [], next: "k00999" });
    expect(store.list({ limit: 10, liveAtMs: 1, after: "k13999" })).toMatchObject({ entries: [] });
    expect(store.list({ limit: 10, liveAtMs: 1, after: "k14999" })).toEqual({
      entries: [],
      next: null,
    });
    await store.close();
  });
});
