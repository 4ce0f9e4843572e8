import { Metrics } from "@meridian/runtime";
import { expect, it } from "vitest";

import { BatchBodies } from "../src/listeners/http/batch-bodies.ts";

const KIBIBYTE = 1024;
const MEBIBYTE = KIBIBYTE * KIBIBYTE;
const shape = { list: "entries", itemsMax: 1_000, others: [] };

function bodyOf(count: number, bytes: number): Uint8Array {
  const entries = Array.from({ length: count }, () => "v".repeat(bytes));
  return new TextEncoder().encode(JSON.stringify({ entries }));
}

/** Counts what is done in each turn of the event loop from now on. */
function turns(): { readonly add: (bytes: number) => void; readonly end: () => readonly number[] } {
  const done = [0];
  let timer = setImmediate(function next() {
    done.push(0);
    timer = setImmediate(next);
  });
  return {
    add: (bytes) => done.splice(-1, 1, (done.at(-1) ?? 0) + bytes),
    end: () => {
      clearImmediate(timer);
      return done;
    },
  };
}

it.each([
  ["of large items", 1, 8, 700 * KIBIBYTE],
  ["of many items", 1, 1_000, 1],
  ["that come together", 200, 1, 60 * KIBIBYTE],
])("bodies %s are read in turns of a mebibyte", async (_, bodies, count, bytes) => {
  const metrics = new Metrics();
  const batches = new BatchBodies(metrics, 64 * MEBIBYTE);
  const body = bodyOf(count, bytes);
  const work = turns();
  const itemOf = (json: unknown): void => work.add(4 * KIBIBYTE + String(json).length);
  const reading = Array.from({ length: bodies }, () =>
    batches.read(body, { ...shape, itemOf }, (batch) => batch.items.length),
  );
  expect(await Promise.all(reading)).toEqual(Array.from({ length: bodies }, () => count));
  const done = work.end();
  expect(Math.max(...done)).toBeLessThanOrEqual(MEBIBYTE + 256 * KIBIBYTE);
  expect(done.filter((each) => each > 0).length).toBeGreaterThan(5);
});

it("refuses a body for which there is no room, and takes it once there is", async () => {
  const metrics = new Metrics();
  const batches = new BatchBodies(metrics, 3 * MEBIBYTE);
  const body = bodyOf(2, MEBIBYTE / 2);
  const read = (): Promise<number> =>
    batches.read(body, { ...shape, itemOf: String }, ({ items }) => items.length);
  const answers = await Promise.allSettled([read(), read(), read()]);
  expect(answers.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "rejected"]);
  expect(answers[2]).toMatchObject({ reason: { code: "OVERLOADED" } });
  expect(metrics.levels()[0]?.now).toBe(0);
  expect(await read()).toBe(2);
});

it("holds a body for as long as it is used", async () => {
  const metrics = new Metrics();
  const batches = new BatchBodies(metrics, 3 * MEBIBYTE);
  const body = bodyOf(1, 10);
  let finish: (value: string) => void = () => {};
  const used = batches.read(
    body,
    { ...shape, itemOf: String },
    () => new Promise<string>((resolve) => (finish = resolve)),
  );
  while (metrics.levels()[0]?.now === 0) await Promise.resolve();
  await new Promise((resolve) => setImmediate(resolve));
  expect(metrics.levels()[0]?.now).toBe(body.byteLength);
  finish("done");
  expect(await used).toBe("done");
  expect(metrics.levels()[0]?.now).toBe(0);
});
