/** What the owner of a store does in one turn of its event loop, whatever the writer thread has done meanwhile. */
import { openReplicaStore } from "@meridian/store";
import { afterAll, expect, it } from "vitest";

import { entry, outcome, remote } from "./records.ts";
import { StoreFolder } from "./store-folder.ts";

const folder = new StoreFolder();
afterAll(() => folder.remove());

const RECORD = 250;
const RECORDS = 60;
/** A turn's worth, and one record more of each kind of news. */
const ROWS = 1_024 + 2 * RECORD;

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it("few entries become durable, or are forgotten as folded, in one turn", async () => {
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
