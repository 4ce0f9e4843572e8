/** Tombstones are forgotten, and what they deleted stays deleted, whoever was away and whatever was lost meanwhile. */
import { burial, BURIAL_ORIGIN, isLive, unixMsOf, stampTimeOf } from "@meridian/protocol";
import { copyLogDisk, emptyLogDisk, emptyReplicaDisk, type LogDisk } from "@meridian/testkit";
import { expect, it } from "vitest";

import type { Receipt, WriteRequest } from "@meridian/replication";

import { ClusterRig, codeOf, set, textOf, type NodeRig } from "./node-rig.ts";
import { entryOf } from "./numbered-entries.ts";
import { ScriptedDirectory } from "./scripted-directory.ts";

const HORIZON_MS = 10_000;
/** Long enough for a tombstone to be purged everywhere, marks, freeze and all. */
const LONG_MS = 4 * HORIZON_MS;

class HorizonRig extends ClusterRig {
  readonly disk: LogDisk;

  constructor(disk: LogDisk = emptyLogDisk(7)) {
    super({ horizonMs: HORIZON_MS }, disk);
    this.disk = disk;
  }

  async do(work: Promise<unknown>): Promise<void> {
    await this.settle();
    await work;
  }

  /** Lets everyone forget what may be forgotten. */
  forget(...nodes: readonly NodeRig[]): void {
    this.directory.log.sweep(Infinity);
    for (const { store } of nodes) store.sweep(Infinity);
  }
}

const del = (key: string): ReturnType<typeof set> => set(key, "", { deleted: true });
const quarantineOf = ({ replica }: NodeRig): (string | undefined)[] =>
  replica.quarantine.after(0, 100).map(({ entry }) => textOf(entry));
const valueOf = ({ replica }: NodeRig, key: string): string | undefined => {
  const entry = replica.get(key);
  return entry !== undefined && isLive(entry, replica.nowMs()) ? textOf(entry) : undefined;
};

/** `k` is written, everyone has it, and while `b` is away it is deleted and everyone else forgets the delete. */
async function forgotten(rig: HorizonRig): Promise<{ a: NodeRig; b: NodeRig }> {
  const [a, b] = [rig.node("a"), rig.node("b")];
  await rig.settle();
  await rig.do(a.replica.write([set("k", "old"), set("kept", "kept")]));
  await rig.pass(1_000);
  await rig.leave("b");
  await rig.do(a.replica.write([del("k")]));
  await rig.pass(LONG_MS);
  rig.forget(a);
  expect([a.store.get("k"), rig.directory.log.get("k")]).toEqual([undefined, undefined]);
  expect(textOf(b.store.get("k"))).toBe("old");
  return { a, b };
}

it("a delete does not come back with a node that was away too long, whose own version is quarantined", async () => {
  const rig = new HorizonRig();
  const { a, b } = await forgotten(rig);
  rig.comeBack("b");
  await rig.pass(LONG_MS);
  expect([a, b].map((node) => valueOf(node, "k"))).toEqual([undefined, undefined]);
  expect([a, b].map((node) => valueOf(node, "kept"))).toEqual(["kept", "kept"]);
  expect([quarantineOf(a), quarantineOf(b)]).toEqual([[], ["old"]]);
  expect(b.replica.info()).toMatchObject({ quarantined: 1, reconciling: false });
  expect(b.changes.at(-1)).toMatchObject({ key: "k", deleted: true });
  rig.forget(a, b);
  expect([a, b].map(({ store }) => store.size)).toEqual([1, 1]);
  expect(rig.directory.log.size).toBe(1);
});

it("what a node wrote while it was away too long is quarantined where its key is gone, and merged where it is not", async () => {
  const rig = new HorizonRig();
  const [a, b] = [rig.node("a"), rig.node("b")];
  await rig.settle();
  await rig.do(a.replica.write([set("k", "old"), set("kept", "old")]));
  await rig.leave("b");
  await rig.do(b.replica.write([set("k", "away"), set("kept", "away"), set("new", "away")]));
  await rig.pass(100);
  await rig.do(a.replica.write([del("k")]));
  await rig.pass(LONG_MS);
  rig.forget(a);
  rig.comeBack("b");
  await rig.pass(LONG_MS);
  for (const node of [a, b]) {
    expect(["k", "kept", "new"].map((key) => valueOf(node, key))).toEqual([
      undefined,
      "away",
      undefined,
    ]);
  }
  expect([quarantineOf(a), quarantineOf(b)]).toEqual([[], ["away", "away"]]);
  expect(b.replica.info().outboxPending).toBe(0);
});

it("a node that was away for less than the horizon is fed, and loses nothing", async () => {
  const rig = new HorizonRig();
  const [a, b] = [rig.node("a"), rig.node("b")];
  await rig.pass(LONG_MS);
  await rig.do(a.replica.write([set("k", "old"), set("l", "old")]));
  for (let round = 0; round < 5; round += 1) {
    await rig.do(a.replica.write([set(`gone${round}`)]));
    await rig.leave("b");
    await rig.do(a.replica.write([del("k"), del(`gone${round}`), set("l", `a${round}`)]));
    await rig.do(b.replica.write([set("m", `b${round}`)]));
    await rig.pass(HORIZON_MS * 0.8);
    rig.forget(a, b);
    rig.comeBack("b");
    await rig.pass(5_500);
    for (const node of [a, b]) {
      expect(["k", `gone${round}`, "l", "m"].map((key) => valueOf(node, key))).toEqual([
        undefined,
        undefined,
        `a${round}`,
        `b${round}`,
      ]);
      expect(node.replica.info()).toMatchObject({ quarantined: 0, reconciling: false });
    }
    await rig.do(b.replica.write([set("k", "again")]));
  }
  expect(rig.disk.purgedThrough).toBeGreaterThan(0);
  expect(rig.reconciliations).toBe(0);
});

it("a new directory that a stale node has filled learns what the others know to be deleted", async () => {
  const rig = new HorizonRig();
  const { a, b } = await forgotten(rig);
  await rig.leave("a");
  await rig.replaceDirectory(emptyLogDisk(8));
  rig.comeBack("b");
  await rig.pass(6_000);
  expect(textOf(rig.directory.log.get("k"))).toBe("old");
  rig.comeBack("a");
  await rig.pass(LONG_MS);
  expect([a, b].map((node) => valueOf(node, "k"))).toEqual([undefined, undefined]);
  expect([a, b].map((node) => valueOf(node, "kept"))).toEqual(["kept", "kept"]);
  expect([quarantineOf(a), quarantineOf(b)]).toEqual([[], ["old"]]);
  expect(rig.directory.directory.info().horizon).toBeGreaterThan(0);
  expect(rig.directory.log.get("k")?.deleted ?? true).toBe(true);
});

it("who was away too long still knows of deletes that a new directory never heard of", async () => {
  const rig = new HorizonRig();
  const { a, b } = await forgotten(rig);
  await rig.leave("a");
  await rig.replaceDirectory(emptyLogDisk(8));
  rig.comeBack("b");
  await rig.pass(LONG_MS);
  expect(rig.directory.directory.info().horizon).toBeGreaterThan(a.store.horizon);
  expect(valueOf(b, "k")).toBe("old");
  rig.comeBack("a");
  await rig.pass(LONG_MS);
  expect([a, b].map((node) => valueOf(node, "k"))).toEqual([undefined, undefined]);
  expect([quarantineOf(a), quarantineOf(b)]).toEqual([[], ["old"]]);
});

it("a restored directory learns of deletes that its nodes have forgotten already", async () => {
  const rig = new HorizonRig();
  const [a, b] = [rig.node("a"), rig.node("b")];
  await rig.settle();
  await rig.do(a.replica.write([set("k", "old"), set("kept", "kept")]));
  await rig.pass(1_000);
  const backup = copyLogDisk(rig.disk);
  await rig.do(a.replica.write([del("k")]));
  await rig.pass(LONG_MS);
  rig.forget(a, b);
  expect([a, b].map(({ store }) => store.size)).toEqual([1, 1]);
  await rig.replaceDirectory(backup);
  await rig.pass(LONG_MS);
  expect([a, b].map((node) => valueOf(node, "k"))).toEqual([undefined, undefined]);
  expect([a, b].map((node) => valueOf(node, "kept"))).toEqual(["kept", "kept"]);
  expect([quarantineOf(a), quarantineOf(b)]).toEqual([[], []]);
  expect(rig.directory.log.get("k")?.deleted ?? true).toBe(true);
});

it("a directory that was restored lets nodes come back for as long as a horizon before it forgets anything", async () => {
  const rig = new HorizonRig();
  const a = rig.node("a");
  await rig.pass(LONG_MS);
  const backup = copyLogDisk(rig.disk);
  const { horizon } = backup.horizonState;
  await rig.do(a.replica.write([set("k", "v")]));
  await rig.pass(1_000);
  await rig.replaceDirectory(backup);
  await rig.pass(6_000);
  const { horizonFrozenUntilMs, horizon: standing } = rig.directory.directory.info();
  expect(horizonFrozenUntilMs).toBeGreaterThan(rig.clock.nowMs());
  expect(standing).toBeLessThanOrEqual(a.store.horizon);
  expect(standing).toBeGreaterThanOrEqual(horizon);
  await rig.pass(2 * HORIZON_MS);
  expect(rig.directory.directory.info().horizon).toBeGreaterThan(standing);
});

it("a new node is filled where deletes have been forgotten", async () => {
  const rig = new HorizonRig();
  await forgotten(rig);
  const c = rig.node("c");
  await rig.pass(1_000);
  expect([valueOf(c, "k"), valueOf(c, "kept")]).toEqual([undefined, "kept"]);
  expect(c.replica.info()).toMatchObject({ quarantined: 0, reconciling: false });
  expect(c.replica.status).toBe("ready");
});

it("an expired entry is forgotten like a delete, whoever was away", async () => {
  const rig = new HorizonRig();
  const [a, b] = [rig.node("a"), rig.node("b")];
  await rig.settle();
  await rig.do(a.replica.write([set("k", "short", { ttlMs: 2_000 })]));
  await rig.leave("b");
  await rig.pass(LONG_MS);
  rig.comeBack("b");
  await rig.pass(LONG_MS);
  rig.forget(a, b);
  expect([a.store.size, b.store.size, rig.directory.log.size]).toEqual([0, 0, 0]);
  expect(quarantineOf(b)).toEqual([]);
});

const replay = (
  { replica }: NodeRig,
  id: number,
  check?: WriteRequest["check"],
): Promise<Receipt> =>
  new Promise((resolve, reject) => {
    replica.quarantine.replay(id, check, { reportApplied: false }, (failure, receipt) =>
      receipt === undefined ? reject(failure) : resolve(receipt),
    );
  });

it("a quarantined entry is written anew for everyone, or dropped", async () => {
  const rig = new HorizonRig();
  const { a, b } = await forgotten(rig);
  rig.comeBack("b");
  await rig.pass(LONG_MS);
  const { quarantine } = b.replica;
  const [taken] = quarantine.after(0, 10);
  expect(quarantine.get(taken?.id ?? 0)).toEqual(taken);
  const refused = replay(b, 1, () => {
    throw new Error("not this one");
  });
  await rig.settle();
  await expect(refused).rejects.toThrow("not this one");
  expect(quarantine.size).toBe(1);
  const replayed = replay(b, 1);
  await rig.settle();
  const { entries } = await replayed;
  expect(entries[0]?.stamp.time).toBeGreaterThan(taken?.entry.stamp.time ?? Infinity);
  expect([a, b].map((node) => valueOf(node, "k"))).toEqual(["old", "old"]);
  expect(quarantine.size).toBe(0);
  const again = replay(b, 1).catch(codeOf);
  await rig.settle();
  expect(await again).toBe("QUARANTINED_NOT_FOUND");
});

it("a quarantined entry keeps its expiry, and is not written once it has expired", async () => {
  const rig = new HorizonRig();
  const disk = emptyReplicaDisk(500);
  const endsAtMs = rig.clock.nowMs() + 5_000;
  const stamp = { time: 77, origin: 3 };
  const entry = { ...burial("k", 77), stamp, deleted: false, expiresAtMs: endsAtMs };
  disk.quarantine.set(1, { id: 1, entry, atMs: 1 });
  disk.quarantine.set(2, { id: 2, entry, atMs: 1 });
  const node = rig.node("a", { disk });
  await rig.settle();
  await rig.do(replay(node, 1));
  expect(node.store.get("k")).toMatchObject({ expiresAtMs: endsAtMs, deleted: false });
  await rig.pass(5_000);
  const late = replay(node, 2).catch(codeOf);
  await rig.settle();
  expect(await late).toBe("QUARANTINED_EXPIRED");
  await rig.do(node.replica.quarantine.drop([2, 9]));
  expect(node.replica.quarantine.size).toBe(0);
});

it("a node adopts a horizon once it has applied the log through it, and has nothing as old to send", async () => {
  const rig = new HorizonRig();
  const a = rig.node("a");
  await rig.pass(3 * HORIZON_MS);
  const { horizon } = a.store;
  expect(horizon).toBeGreaterThan(0);
  expect(a.replica.info().horizonAtMs).toBe(unixMsOf(horizon));
  expect(horizon).toBeLessThanOrEqual(rig.directory.directory.info().horizon);
  await rig.leave("a");
  await rig.do(a.replica.write([set("k", "mine")]));
  const stamp = a.store.get("k")?.stamp;
  expect(stamp?.time).toBeGreaterThan(horizon);
  expect(stamp?.origin).toBeLessThan(BURIAL_ORIGIN);
  await rig.pass(2 * HORIZON_MS);
  expect(a.store.horizon).toBe(horizon);
});

it("writes are taken although the horizon lies ahead of a clock that was set back", async () => {
  const disk = emptyLogDisk(7);
  const rig = new HorizonRig(disk);
  const a = rig.node("a");
  await rig.settle();
  disk.horizonState = {
    ...disk.horizonState,
    horizon: stampTimeOf(rig.clock.nowMs() + 10 * HORIZON_MS),
  };
  await rig.replaceDirectory(disk);
  await rig.pass(6_000);
  await rig.do(a.replica.write([set("k", "v")]));
  await rig.pass(1_000);
  expect(a.replica.info().outboxPending).toBe(0);
  expect(textOf(rig.directory.log.get("k"))).toBe("v");
});

it("the burial of what comes in below the horizon does not undo a write of the same key that is on its way", async () => {
  const old = entryOf(1, 1);
  const disk = { ...emptyReplicaDisk(1), horizon: old.stamp.time };
  const script = new ScriptedDirectory(1, disk);
  script.welcome(0);
  await script.settle();
  void script.replica.write([set(old.key, "written meanwhile")]);
  script.feed({ after: 0, through: 1 }, [old]);
  await script.settle();
  expect(textOf(script.store.get(old.key))).toBe("written meanwhile");
  expect(script.frames.flatMap(({ entries }) => entries).map(textOf)).toEqual([
    "written meanwhile",
  ]);
});
