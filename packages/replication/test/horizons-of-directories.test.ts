/** Several directories: their horizons wait for each other's nodes, are adopted, and go on without who is away for too long. */
import { isLive, stampTimeOf } from "@meridian/protocol";
import type { Replica } from "@meridian/replication";
import { emptyLogDisk } from "@meridian/testkit";
import { expect, it } from "vitest";

import { GroupRig } from "./group-rig.ts";
import { set, textOf } from "./node-rig.ts";

const HORIZON_MS = 10_000;
/** Long enough for a tombstone to be purged everywhere, marks, freeze and all. */
const LONG_MS = 4 * HORIZON_MS;

const start = (count: number): Promise<GroupRig> =>
  GroupRig.start(count, { horizonMs: HORIZON_MS });
const del = (key: string): ReturnType<typeof set> => set(key, "", { deleted: true });
const horizonOf = (rig: GroupRig, index: number): number =>
  rig.directory(index).directory.info().horizon;
const quarantineOf = (node: Replica): (string | undefined)[] =>
  node.quarantine.after(0, 100).map(({ entry }) => textOf(entry));

async function write(rig: GroupRig, node: Replica, ...of: ReturnType<typeof set>[]): Promise<void> {
  const written = node.write(of);
  await rig.settle();
  await written;
}

function valueOf(node: Replica, key: string): string | undefined {
  const entry = node.get(key);
  return entry !== undefined && isLive(entry, node.nowMs()) ? textOf(entry) : undefined;
}

it("deletes are forgotten by all directories, also by one that has no nodes", async () => {
  const rig = await start(3);
  const a = rig.node("a");
  await rig.pass(1_000);
  await write(rig, a, set("k", "old"), set("kept", "kept"));
  await write(rig, a, del("k"));
  await rig.pass(LONG_MS);
  expect(rig.forget()).toEqual([1, 1, 1, 1]);
  const lately = stampTimeOf(rig.clock.nowMs() - 2 * HORIZON_MS);
  for (const index of [0, 1, 2]) expect(horizonOf(rig, index)).toBeGreaterThan(lately);
});

it("a horizon waits for what a node of another directory has to send, and for one that has come to it", async () => {
  const rig = await start(2);
  rig.node("a");
  await rig.pass(LONG_MS);
  const slow = rig.directory(1).join("slow", 9);
  const beat = async (lowestTime: () => number, ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 500) {
      rig.directory(1).beat(slow, 0, lowestTime());
      await rig.pass(500);
    }
  };
  await beat(() => 0, 1_000);
  const before = horizonOf(rig, 0);
  await beat(() => 0, 2_000);
  expect(horizonOf(rig, 0)).toBe(before);
  const pending = stampTimeOf(rig.clock.nowMs());
  await beat(() => pending, 2 * HORIZON_MS);
  expect(horizonOf(rig, 0)).toBe(pending - 1);
  rig.directory(1).submit(slow, 9, 1, [rig.directory(1).entry("late", -2 * HORIZON_MS + 1)]);
  await beat(() => stampTimeOf(rig.clock.nowMs()), 2_000);
  expect(textOf(rig.directory(0).log.get("late"))).toBe("AAAA");
  expect(horizonOf(rig, 0)).toBeGreaterThan(pending);
});

it("directories that were apart for longer than the horizon bury what only the other one has", async () => {
  const rig = await start(2);
  rig.cut("b", "d0");
  const [a, b] = [rig.node("a"), rig.node("b")];
  await rig.pass(1_000);
  await write(rig, a, set("k", "old"), set("kept", "kept"));
  await rig.pass(1_000);
  expect([a, b].map((node) => node.info().directory)).toEqual([0, 1]);
  rig.cut("d0", "d1");
  await write(rig, a, del("k"), set("of a", "1"), set("kept", "a"));
  await write(rig, b, set("of b", "2"));
  await rig.pass(LONG_MS);
  await write(rig, b, set("young", "3"));
  rig.forget();
  expect([valueOf(a, "k"), valueOf(b, "k")]).toEqual([undefined, "old"]);
  rig.heal("d0", "d1");
  await rig.pass(LONG_MS);
  for (const node of [a, b]) {
    const values = ["k", "of a", "of b", "kept", "young"].map((key) => valueOf(node, key));
    expect(values).toEqual([undefined, undefined, undefined, "a", "3"]);
  }
  expect(quarantineOf(a)).toEqual(["1"]);
  expect(new Set(quarantineOf(b))).toEqual(new Set(["2", "old"]));
  expect(rig.forget()).toEqual([2, 2, 2, 2]);
});

it("directories that were apart for less lose nothing", async () => {
  const rig = await start(2);
  rig.cut("b", "d0");
  const [a, b] = [rig.node("a"), rig.node("b")];
  await rig.pass(LONG_MS);
  await write(rig, a, set("k", "old"));
  await rig.pass(1_000);
  rig.cut("d0", "d1");
  await write(rig, a, del("k"), set("of a", "1"));
  await write(rig, b, set("of b", "2"));
  await rig.pass(0.7 * HORIZON_MS);
  rig.forget();
  rig.heal("d0", "d1");
  await rig.pass(LONG_MS);
  for (const node of [a, b]) {
    const values = ["k", "of a", "of b"].map((key) => valueOf(node, key));
    expect(values).toEqual([undefined, "1", "2"]);
    expect(quarantineOf(node)).toEqual([]);
  }
  expect(rig.forget()).toEqual([2, 2, 2, 2]);
});

it("a node that has forgotten what the next directory never heard of reconciles with it", async () => {
  const rig = await start(2);
  rig.cut("b", "d0");
  const [a, b] = [rig.node("a"), rig.node("b")];
  await rig.pass(1_000);
  await write(rig, a, set("k", "old"));
  await rig.pass(1_000);
  rig.cut("d0", "d1");
  await write(rig, a, del("k"));
  await rig.pass(LONG_MS);
  rig.forget();
  expect(a.get("k")).toBeUndefined();
  await rig.kill(0);
  await rig.pass(LONG_MS);
  expect(a.info()).toMatchObject({ directory: 1, reconciling: false });
  expect([a, b].map((node) => valueOf(node, "k"))).toEqual([undefined, undefined]);
  expect([quarantineOf(a), quarantineOf(b)]).toEqual([[], ["old"]]);
});

it("a node that comes back to a directory that has compared, and so never heard of a delete, reconciles with it", async () => {
  const rig = await start(2);
  rig.cut("a", "d1");
  const [a, b] = [rig.node("a"), rig.node("b")];
  rig.cut("b", "d0");
  await rig.pass(1_000);
  await write(rig, a, set("kept"));
  await rig.pass(1_000);
  expect(b.info()).toMatchObject({ directory: 1, connected: true });
  await rig.kill(1);
  rig.heal("b", "d0");
  await rig.pass(3_000);
  await write(rig, a, set("k", "old"));
  await rig.pass(1_000);
  expect(valueOf(b, "k")).toBe("old");
  rig.cut("b", "d0");
  await write(rig, a, del("k"));
  await rig.pass(LONG_MS);
  rig.forget();
  rig.start(1, rig.disks[1]);
  await rig.pass(LONG_MS);
  expect(b.info()).toMatchObject({ directory: 1, connected: true });
  expect([a, b].map((node) => valueOf(node, "k"))).toEqual([undefined, undefined]);
  expect([a, b].map((node) => valueOf(node, "kept"))).toEqual(["v", "v"]);
  expect([quarantineOf(a), quarantineOf(b)]).toEqual([[], ["old"]]);
});

it("what comes to a directory after it has compared is buried where a delete of it is still known", async () => {
  const rig = await start(2);
  const a = rig.node("a");
  await rig.pass(1_000);
  await write(rig, a, set("gone"), set("kept"));
  const old = rig.directory(0).entry("k");
  await rig.pass(100);
  await write(rig, a, del("k"), del("gone"));
  await rig.pass(LONG_MS);
  rig.directory(0).log.sweep(1);
  expect(rig.directory(0).log.purgedThrough).toBeGreaterThan(0);
  expect(rig.directory(0).log.get("k")?.deleted).toBe(true);
  await rig.kill(1);
  const second = rig.start(1, emptyLogDisk(99));
  // It compares in steps, a millisecond each.
  for (let step = 0; step < 20 && second.directory.info().syncing; step += 1) await rig.pass(1);
  expect(second.directory.info()).toMatchObject({ horizon: 0, syncing: false });
  second.submit(second.join("late", 9), 9, 1, [old]);
  await rig.settle();
  expect(textOf(second.log.get("k"))).toBe("AAAA");
  await rig.pass(3_000);
  expect(second.log.get("k")?.deleted ?? true).toBe(true);
  await rig.pass(LONG_MS);
  expect(rig.forget()).toEqual([1, 1, 1]);
});

it("an empty directory is filled by one that has forgotten, takes over its horizon, and takes nodes in", async () => {
  const rig = await start(2);
  const a = rig.node("a");
  await rig.pass(1_000);
  await write(rig, a, set("k", "old"), set("kept", "kept"));
  await write(rig, a, del("k"));
  await rig.pass(LONG_MS);
  await rig.kill(1);
  await rig.pass(1_000);
  expect(rig.forget()).toEqual([1, 1]);
  rig.start(1, emptyLogDisk(99));
  await rig.pass(3_000);
  expect(rig.forget()).toEqual([1, 1, 1]);
  expect(horizonOf(rig, 1)).toBeGreaterThan(0);
  await rig.kill(0);
  await rig.pass(3_000);
  expect(a.info()).toMatchObject({ directory: 1, reconciling: false, quarantined: 0 });
  expect(valueOf(a, "kept")).toBe("kept");
});

it("a directory that was off for longer than the horizon waits as long for what the others have made", async () => {
  // Longer than what any directory waits for its nodes.
  const horizonMs = 90_000;
  const rig = await GroupRig.start(2, { horizonMs });
  rig.cut("b", "d0");
  rig.cut("a", "d1");
  const [a, b] = [rig.node("a"), rig.node("b")];
  await rig.pass(1.2 * horizonMs);
  await rig.kill(0);
  await write(rig, b, set("of b", "2"));
  await rig.pass(1.2 * horizonMs);
  rig.cut("d0", "d1");
  rig.start(0, rig.disks[0]);
  await rig.pass(0.9 * horizonMs);
  expect(a.info()).toMatchObject({ connected: true, directory: 0 });
  rig.heal("d0", "d1");
  await rig.pass(3_000);
  expect([a, b].map((node) => valueOf(node, "of b"))).toEqual(["2", "2"]);
});
