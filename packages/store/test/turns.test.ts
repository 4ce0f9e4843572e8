/** The owner of a store handles a bounded number of entries in one turn of its event loop, however much the writer thread has committed meanwhile. */
import { systemClock } from "@meridian/runtime";
import { openReplicaStore } from "@meridian/store";
import { afterAll, expect, it } from "vitest";

import { entry, outcome, remote } from "./records.ts";
import { StoreFolder } from "./store-folder.ts";

const folder = new StoreFolder();
afterAll(() => folder.remove());

const RECORD = 250;
const RECORDS = 60;
/** The limit of a turn, exceeded by one record for commits and one for folded entries. */
const ROWS = 512 + 2 * RECORD;

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it("a bounded number of entries becomes durable, or leaves the overlay, in one turn", async () => {
  const store = await openReplicaStore(folder.options("turns"));
  let durable = 0;
  let all = Promise.resolve();
  for (let record = 0; record < RECORDS; record += 1) {
    const entries = Array.from({ length: RECORD }, (_, index) => entry(`${record}/${index}`, 1));
    const done = outcome(store, remote(entries)).then(() => void (durable += RECORD));
    all = all.then(() => done);
  }
  let [durableBefore, forgottenBefore, most] = [0, 0, 0];
  const deadline = performance.now() + 30_000;
  while (forgottenBefore < RECORD * RECORDS && performance.now() < deadline) {
    await turn();
    const forgotten = durable - store.stats().unfoldedEntries;
    most = Math.max(most, durable - durableBefore + forgotten - forgottenBefore);
    [durableBefore, forgottenBefore] = [durable, forgotten];
  }
  await all;
  expect(forgottenBefore).toBe(RECORD * RECORDS);
  expect(most).toBeLessThanOrEqual(ROWS);
  await store.close();
});

it("the owner of a record that fills a turn is told in the next one", async () => {
  const store = await openReplicaStore(folder.options("long-record"));
  const entries = Array.from({ length: 2_000 }, (_, index) => entry(String(index), 1));
  let isTold = false;
  const done = outcome(store, remote(entries)).then(() => (isTold = true));
  let turnsUntold = 0;
  const deadline = performance.now() + 30_000;
  while (!isTold && performance.now() < deadline) {
    await turn();
    if (store.stats().unfoldedEntries === 2_000 && !isTold) turnsUntold += 1;
  }
  await done;
  expect(turnsUntold).toBe(1);
  await store.close();
});

it("few records are told of in one turn if their owners take long over them", async () => {
  let elapsedMs = 0;
  const clock = { ...systemClock, elapsedMs: () => elapsedMs };
  const store = await openReplicaStore({ ...folder.options("long"), clock });
  let [inTurn, most] = [0, 0];
  const told = (): void => {
    elapsedMs += 5;
    if (inTurn === 0) setImmediate(() => (inTurn = 0));
    inTurn += 1;
    most = Math.max(most, inTurn);
  };
  await new Promise<void>((resolve) => {
    for (let record = 1; record <= 100; record += 1) {
      store.append(remote([entry(String(record), 1)]), () => {
        told();
        if (record === 100) resolve();
      });
    }
  });
  // One of each commit whose news has come in that turn.
  expect(most).toBeLessThanOrEqual(8);
  await store.close();
});
