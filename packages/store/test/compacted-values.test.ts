/** What a compacted log gives of values: they are read many at once. */
import { decodeBlock, tombstone, type Entry } from "@meridian/protocol";
import { openDirectoryLog } from "@meridian/store";
import { afterAll, expect, it } from "vitest";

import { entry, frame, outcome } from "./records.ts";
import { folded, StoreFolder, until } from "./store-folder.ts";

const folder = new StoreFolder();
afterAll(() => folder.remove());

/** The entry of a number: values of any bytes and of many lengths, of which some are none and one is large. */
function entryOf(index: number): Entry {
  if (index % 50 === 1) return tombstone(`k${index}`, { time: 1, origin: 1 });
  const length = index === 200 ? 300_000 : (index * 7) % 300;
  const value = Uint8Array.from({ length }, (_, at) => index + at);
  const attributes = Uint8Array.of(1, 0, index);
  return { ...entry(`k${index}`, 1), value, ...(index % 3 === 0 && { attributes }) };
}

it("compacted frames have the values as they were, of any bytes and lengths, however many are read at once", async () => {
  const log = await openDirectoryLog(folder.options("values", { recentEntriesMax: 2 }));
  const written = Array.from({ length: 700 }, (_, index) => entryOf(index));
  await outcome(log, frame(0, written, 1));
  for (let position = 2; position <= 4; position += 1) {
    const after = written.length + position - 2;
    await outcome(log, frame(after, [entry(`newest/${position}`, 1)], position));
  }
  await folded(log);
  await until(() => log.read(0, 1)[0]?.incarnation === 0);
  for (const bytesMax of [1, 5_000, 250_000, 2 ** 21]) {
    const found: Entry[] = [];
    for (let reached = 0; reached < written.length;) {
      for (const { block, count, through } of log.read(reached, bytesMax)) {
        found.push(...decodeBlock(block, count));
        reached = through;
      }
    }
    expect(found.slice(0, written.length)).toEqual(written);
  }
  await log.close();
});

it("a compacted read takes the value of an entry alone if it does not fit with others", async () => {
  const log = await openDirectoryLog(folder.options("large", { recentEntriesMax: 2 }));
  const sizes = [10, 400_000, 10, 10];
  const written = sizes.map((bytes, index) => ({
    ...entry(`k${index}`, 1),
    value: new Uint8Array(bytes).fill(index),
  }));
  await outcome(log, frame(0, written, 1));
  for (let position = 2; position <= 4; position += 1) {
    await outcome(log, frame(position + 2, [entry(`newest/${position}`, 1)], position));
  }
  await folded(log);
  await until(() => log.read(0, 1)[0]?.incarnation === 0);
  const counts: number[] = [];
  for (let reached = 0; reached < written.length;) {
    const [read] = log.read(reached, 1_000);
    reached = read?.through ?? Infinity;
    counts.push(read?.count ?? 0);
  }
  expect(counts.slice(0, 2)).toEqual([1, 1]);
  await log.close();
});
