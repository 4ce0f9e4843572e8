import { compareKeys, NO_BYTES, type Entry, type Stamp } from "@meridian/protocol";
import { seededRandom } from "@meridian/runtime";
import { expect, it } from "vitest";
import { Overlay } from "../src/overlay.ts";

const stamp = (time: number): Stamp => ({ time, origin: 1 });
const entry = (key: string, time: number): Entry => ({
  key,
  value: NO_BYTES,
  contentType: "",
  stamp: stamp(time),
  expiresAtMs: 0,
  deleted: false,
});
const row = (id: number): { id: number; bytes: number } => ({ id, bytes: 10 });

it("keeps a key whose newest entry came with a later row than the folded one", () => {
  const overlay = new Overlay(() => undefined);
  overlay.commit(row(1), [entry("a", 1), entry("b", 1)]);
  overlay.commit(row(2), [entry("a", 2)]);
  overlay.drop(1);
  expect(overlay.find("a")?.entry).toEqual(entry("a", 2));
  expect(overlay.find("b")).toBeUndefined();
  expect([overlay.unfoldedEntries, overlay.unfoldedBytes]).toEqual([1, 10]);
  overlay.drop(2);
  expect(overlay.find("a")).toBeUndefined();
  expect([overlay.unfoldedEntries, overlay.unfoldedBytes]).toEqual([0, 0]);
});

it("forgets an entry that is not durable, and shows the durable one behind it again", () => {
  const overlay = new Overlay(() => undefined);
  overlay.commit(row(1), [entry("a", 1)]);
  overlay.append(2, [entry("a", 2), entry("b", 2)]);
  expect(overlay.find("a")?.entry).toEqual(entry("a", 2));
  overlay.forgetAppended();
  expect(overlay.find("a")?.entry).toEqual(entry("a", 1));
  expect(overlay.find("b")).toBeUndefined();
});

it("leaves a newer entry that is not durable yet in place when an older one becomes durable", () => {
  const overlay = new Overlay(() => undefined);
  overlay.append(1, [entry("a", 1)]);
  overlay.append(2, [entry("a", 2)]);
  overlay.commit(row(1), [entry("a", 1)]);
  expect(overlay.find("a")?.entry).toEqual(entry("a", 2));
  overlay.forgetAppended();
  expect(overlay.find("a")?.entry).toEqual(entry("a", 1));
});

it("shows an older entry that becomes durable after the newer one was folded, until it is folded, too", () => {
  const overlay = new Overlay(() => undefined);
  overlay.append(1, [entry("a", 5)]);
  overlay.append(2, [entry("a", 3), entry("a", 4)]);
  overlay.commit(row(1), [entry("a", 5)]);
  overlay.drop(1);
  expect(overlay.find("a")).toBeUndefined();
  overlay.commit(row(2), [entry("a", 3), entry("a", 4)]);
  expect(overlay.find("a")?.entry).toEqual(entry("a", 4));
  expect(overlay.keysBetween(null, null, 10)).toEqual(["a"]);
  overlay.drop(2);
  expect(overlay.find("a")).toBeUndefined();
});

it("drops an entry that a read has found older than the table's", () => {
  const overlay = new Overlay(() => stamp(5));
  overlay.commit(row(1), [entry("old", 4), entry("new", 6)]);
  overlay.settle("old", stamp(5));
  overlay.settle("new", stamp(5));
  expect(overlay.find("old")).toBeUndefined();
  expect(overlay.find("new")?.settled).toBe(true);
  overlay.commit(row(2), [entry("new", 7)]);
  expect(overlay.find("new")).toMatchObject({ entry: entry("new", 7), settled: true });
});

it("estimates how many of its keys are not in the table: exactly for few keys, by a sample for many", () => {
  const overlay = new Overlay((key) => (key === "old" ? stamp(5) : undefined));
  expect(overlay.newKeys(10)).toBe(0);
  overlay.commit(row(1), [entry("old", 6), entry("a", 1), entry("b", 1)]);
  overlay.commit(row(2), [entry("a", 2), entry("c", 2)]);
  expect(overlay.newKeys(10)).toBe(3);
  // One of the two keys in the sample may be the key that is in the table.
  expect([2, 4]).toContain(overlay.newKeys(2));
});

it("returns the lowest keys of a range, in order, however many there are", () => {
  const overlay = new Overlay(() => undefined);
  const keys = Array.from({ length: 5_000 }, (_, index) => `k${String(index).padStart(4, "0")}`);
  const shuffled = keys.toSorted((a, b) => (a.slice(-2) < b.slice(-2) ? -1 : 1));
  overlay.commit(
    row(1),
    shuffled.slice(0, 4_000).map((key) => entry(key, 1)),
  );
  overlay.append(
    2,
    shuffled.slice(3_000).map((key) => entry(key, 2)),
  );
  expect(overlay.keysBetween("k0999", null, 10)).toEqual(keys.slice(1_000, 1_010));
  expect(overlay.keysBetween(null, "k0002", 10)).toEqual(keys.slice(0, 3));
  expect(overlay.keysBetween("k4999", null, 10)).toEqual([]);
});

it("keeps its keys in order, however many are added and removed", () => {
  const random = seededRandom(5);
  const overlay = new Overlay(() => undefined);
  const nameOf = (): string => `k${Math.floor(random.next() * 20_000)}`;
  const rows: string[][] = [];
  for (let id = 1; id <= 400; id += 1) {
    const keys = Array.from({ length: 40 }, nameOf);
    const entries = keys.map((key) => entry(key, id));
    overlay.append(id, entries);
    if (id % 7 === 0) overlay.forgetAppended();
    overlay.commit(row(id), entries);
    rows.push(keys);
    if (id > 200) overlay.drop(id - 200);
    if (id % 40 !== 0) continue;
    const held = [...new Set(rows.slice(Math.max(0, id - 200)).flat())].toSorted(compareKeys);
    const [after, through] = [held[held.length >> 2] ?? "", held[held.length >> 1] ?? ""];
    expect(overlay.keysBetween(null, null, 1e9)).toEqual(held);
    const between = held.filter((key) => compareKeys(key, after) > 0);
    expect(overlay.keysBetween(after, null, 500)).toEqual(between.slice(0, 500));
    const within = between.filter((key) => compareKeys(key, through) <= 0);
    expect(overlay.keysBetween(after, through, 1e9)).toEqual(within);
  }
  overlay.drop(400);
  expect(overlay.keysBetween(null, null, 10)).toEqual([]);
});
