import { tombstone } from "@meridian/protocol";
import { openDirectoryLog, openReplicaStore } from "@meridian/store";
import { afterAll, expect, it } from "vitest";
import { entry, frame, local, outcome, remote } from "./records.ts";
import { folded, purged, StoreFolder, until } from "./store-folder.ts";

const folder = new StoreFolder();
afterAll(() => folder.remove());

it("refuses a write with STORE_FULL, shows none of its entries, and goes on once there is room", async () => {
  const store = await openReplicaStore(folder.options("full", { pageCountMax: 200 }));
  let position = 0;
  let failure;
  while (failure === undefined && position < 500) {
    position += 1;
    failure = await outcome(store, local(position, [entry(`k${position % 20}`, position, 20_000)]));
  }
  expect(failure).toMatchObject({ code: "STORE_FULL", retryable: true });
  const durable = position - 1;
  expect(store.outboxThrough).toBe(durable);
  expect(store.outboxAfter(0, 1e9)).toHaveLength(durable);
  expect(store.get(`k${position % 20}`)?.stamp.time).not.toBe(position);

  const early = outcome(store, remote([entry("remote", 9_000, 100_000)], 5));
  const later = outcome(store, remote([entry("small", 9_001)], 6));
  expect(store.get("remote")?.stamp.time).toBe(9_000);
  expect((await early)?.code).toBe("STORE_FULL");
  expect((await later)?.code).toBe("STORE_FULL");
  expect([store.get("remote"), store.get("small"), store.cursor]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);

  await store.close();

  const reopened = await openReplicaStore(folder.options("full"));
  expect(reopened.outboxAfter(0, 1e9)).toHaveLength(durable);
  const retried = remote([entry("remote", 9_000, 100_000)], 5);
  expect(await outcome(reopened, retried)).toBeUndefined();
  expect(await outcome(reopened, local(durable + 1, [entry("own", 9_002)]))).toBeUndefined();
  await folded(reopened);
  expect(reopened.get("remote")).toEqual(entry("remote", 9_000, 100_000));
  expect(reopened.get(`k${durable % 20}`)?.stamp.time).toBe(durable);
  expect(reopened.cursor?.sequence).toBe(5);
  await reopened.close();
});

it("accepts a write that fits after one that did not", async () => {
  const store = await openReplicaStore(folder.options("fits", { pageCountMax: 100 }));
  const large = outcome(store, local(1, [entry("large", 1, 1_000_000)]));
  const behind = outcome(store, local(2, [entry("behind", 2)]));
  expect((await large)?.code).toBe("STORE_FULL");
  expect((await behind)?.code).toBe("STORE_FULL");
  expect(await outcome(store, local(1, [entry("small", 3)]))).toBeUndefined();
  expect(store.summariesAfter(null, 10).map(({ key }) => key)).toEqual(["small"]);
  await folded(store);
  expect(store.get("small")).toEqual(entry("small", 3));
  await store.close();
});

it("reports a shortage, refuses own sets first, then entries of others, then deletes, and reports when it is over", async () => {
  const options = { ...folder.options("bounded"), bytesMax: 4 * 1024 * 1024 };
  const store = await openReplicaStore(options);
  expect([store.shortage, store.stall]).toEqual([undefined, undefined]);
  let time = 0;
  let sets = 0;
  const set = (): Promise<{ code: string } | undefined> =>
    outcome(store, local(sets + 1, [entry(`set-${sets}`, (time += 1), 20_000)]));
  for (; (await set()) === undefined; sets += 1) await folded(store);
  await until(() => store.shortage !== undefined);
  expect(store.shortage?.code).toBe("STORE_FULL");
  expect(store.stall).toBeUndefined();

  let copies = 0;
  const copy = (): Promise<{ code: string } | undefined> =>
    outcome(store, remote([entry(`copy-${copies}`, (time += 1), 20_000)]));
  for (; (await copy()) === undefined; copies += 1) await folded(store);
  expect(copies).toBeGreaterThan(1);
  await until(() => store.stall !== undefined);

  const acknowledged = { kind: "progress", outboxThrough: sets } as const;
  expect(await outcome(store, acknowledged)).toBeUndefined();
  for (let at = 0; at < sets; at += 1) {
    const gone = tombstone(`set-${at}`, { time: (time += 1), origin: 1 });
    expect(await outcome(store, local(sets + at + 1, [gone]))).toBeUndefined();
  }
  await until(() => store.stall === undefined && store.shortage === undefined);
  expect(await copy()).toBeUndefined();
  expect(store.stats().databaseBytes).toBeLessThanOrEqual(options.bytesMax);
  await store.close();
});

it("makes the log wait for room, with everything after the frame that does not fit", async () => {
  const log = await openDirectoryLog(folder.options("waits", { pageCountMax: 100 }));
  expect(await outcome(log, frame(0, [entry("a", 1)], 1))).toBeUndefined();
  expect(log.stall).toBeUndefined();
  const outcomes = Promise.all([
    outcome(log, frame(1, [entry("b", 2, 1_000_000)], 2)),
    outcome(log, frame(2, [entry("c", 3)], 3)),
  ]);
  await until(() => log.stall !== undefined);
  const later = outcome(log, frame(3, [entry("d", 4)], 4));
  expect(log.stall).toMatchObject({ code: "STORE_FULL", retryable: true });
  expect(log.committedThrough).toBe(1);
  expect(log.outboxMark(7)).toEqual({ position: 1, sequence: 1, highestTime: 1 });
  expect(log.read(0, 1e9).map(({ through }) => through)).toEqual([1]);
  // None of these frames was acknowledged, so they may fail.
  await log.close();
  expect([...(await outcomes), await later].map((failure) => failure?.code)).toEqual(
    Array(3).fill("STORE_FAILED"),
  );
});

it("commits waiting frames in order, and purges nothing before they are in the table", async () => {
  const tuning = { commitWaitMs: 10, sweepEveryMs: 2, redo: false };
  const log = await openDirectoryLog(folder.options("resumes", tuning));
  expect(
    await outcome(log, frame(0, [entry("a", 1), tombstone("gone", { time: 5, origin: 1 })], 1)),
  ).toBeUndefined();
  await folded(log);
  const resume = folder.hold("resumes");
  const outcomes = Promise.all([
    outcome(log, frame(2, [entry("gone", 4)], 2)),
    outcome(log, frame(3, [entry("b", 6)], 3)),
  ]);
  log.purge(10, 2);
  await until(() => log.stall !== undefined);
  expect(log.stall?.code).toBe("OVERLOADED");
  expect(log.committedThrough).toBe(2);
  resume();
  expect(await outcomes).toEqual([undefined, undefined]);
  expect(log.stall).toBeUndefined();
  expect(log.read(0, 1e9).map(({ through }) => through)).toEqual([2, 3, 4]);
  await purged(log);
  // The waiting entry of `gone` lost against the tombstone, which was purged afterwards.
  expect([log.get("gone"), log.get("b")]).toEqual([undefined, entry("b", 6)]);
  await log.close();
});

it("accepts acknowledgements when it accepts nothing else, and writes again after them", async () => {
  const store = await openReplicaStore(folder.options("wedge", { pageCountMax: 500 }));
  const codes = new Set<string>();
  let position = 0;
  // Writes until the store refuses a write although everything is folded, so that folding makes no more room.
  const fill = async (): Promise<void> => {
    for (let isFull = false; !isFull;) {
      const next = [entry(`k${position}`, position + 1, 10_000)];
      isFull = store.stats().unfoldedEntries === 0;
      const failure = await outcome(store, local(position + 1, next));
      if (failure === undefined) {
        position += 1;
        isFull = false;
      } else {
        codes.add(failure.code);
        await folded(store);
      }
    }
  };
  for (let round = 0; round < 3; round += 1) {
    const before = position;
    await fill();
    expect(position - before).toBeGreaterThan(5);
    expect(store.get(`k${position - 1}`)?.stamp.time).toBe(position);
    expect(await outcome(store, { kind: "progress", outboxThrough: position })).toBeUndefined();
    await until(() => store.stats().journalRows === 0);
  }
  expect([...codes]).toEqual(["STORE_FULL"]);
  await store.close();
});

it("drops the recent frames of the log before it refuses new ones", async () => {
  const log = await openDirectoryLog(folder.options("pressed", { pageCountMax: 500 }));
  for (let at = 0; at < 200; at += 1) {
    await until(() => log.stats().unfoldedEntries === 0);
    const next = frame(at, [entry(`k${at % 5}`, at + 1, 10_000)], at + 1);
    expect(await outcome(log, next)).toBeUndefined();
  }
  // The frames together were twice as large as the file may be.
  await folded(log);
  expect(log.read(0, 1e9).at(-1)?.through).toBe(200);
  await log.close();
});
