/** How many entries a node puts into one frame: whoever takes it in does so in one turn of its event loop. */
import { BATCH_ENTRIES_MAX, FRAME_ENTRIES_TARGET } from "@meridian/protocol";
import { expect, it } from "vitest";

import { set } from "./node-rig.ts";
import { ScriptedDirectory } from "./scripted-directory.ts";

const keys = (count: number, prefix: string): string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}/${index}`);

it("a frame ends where it has as many entries as one turn takes in, or with the batch that reaches that", async () => {
  const script = new ScriptedDirectory();
  script.welcome(0);
  const batches = keys(40, "batch").map((prefix) => keys(100, prefix).map((key) => set(key)));
  const written = Promise.all(batches.map((batch) => script.replica.write(batch)));
  await script.settle();
  await written;
  const counts = script.frames.map(({ entries }) => entries.length);
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(40 * 100);
  expect(Math.max(...counts)).toBe(1_100);
});

it("a batch has no more entries than a frame may have beside those of others, and takes nothing with it where it has", async () => {
  const script = new ScriptedDirectory();
  script.welcome(0);
  const beside = script.replica.write(
    keys(FRAME_ENTRIES_TARGET - 1, "beside").map((key) => set(key)),
  );
  const large = script.replica.write(keys(BATCH_ENTRIES_MAX, "large").map((key) => set(key)));
  const tooLarge = script.replica.write(keys(BATCH_ENTRIES_MAX + 1, "more").map((key) => set(key)));
  const outcomes = Promise.allSettled([beside, large, tooLarge]);
  await script.settle();
  expect((await outcomes).map(({ status }) => status)).toEqual([
    "fulfilled",
    "fulfilled",
    "rejected",
  ]);
  await expect(tooLarge).rejects.toMatchObject({ code: "VALUE_TOO_LARGE" });
  // The directory has read it, which refuses what holds more than a frame may.
  expect(script.frames.map(({ entries }) => entries.length)).toEqual([16_383]);
  expect(script.closed).toBeUndefined();
});
