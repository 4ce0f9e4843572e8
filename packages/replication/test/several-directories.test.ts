import { encodeMessage, capabilities, MeridianError, type Cursor } from "@meridian/protocol";
import { digestOf, type SummarySource } from "@meridian/replication";
import { copyLogDisk, emptyLogDisk, emptyReplicaDisk } from "@meridian/testkit";
import { expect, it } from "vitest";

import { GroupRig } from "./group-rig.ts";
import { ScriptedDirectory } from "./scripted-directory.ts";
import { set, textOf } from "./node-rig.ts";
import { DirectoryRig } from "./rig.ts";

function fingerprintOf(source: SummarySource): string {
  return digestOf(source.summariesAfter(null, Infinity)).fingerprint;
}

it("a directory that has a node's home feeds it, one that has not reconciles with it", () => {
  const rig = new DirectoryRig();
  const sender = rig.join("a", 1);
  rig.submit(sender, 1, 1, [rig.entry("k"), rig.entry("l"), rig.entry("m")]);
  rig.commit();
  const followed = { logId: 9, epoch: 5, sequence: 40 };
  const nothing = { count: 0, highestTime: 0, incarnation: 0, position: 0 };
  const block = new Uint8Array(0);
  rig.log.append({ after: 3, through: 3, ...nothing, block, followed }, () => {});
  rig.commit();
  const cursors: Cursor[] = [
    { logId: 7, epoch: 1, sequence: 1 },
    { logId: 7, epoch: 1, sequence: 2 },
    { logId: 7, epoch: 3, sequence: 3 },
  ];
  const welcomeOf = (node: number, home: Cursor): unknown =>
    rig.join(`n${node}`, 10 + node, { cursors, home }).of("welcome")[0];
  const fed = { resume: "feed", resumeAfter: 2 };
  expect(welcomeOf(1, followed)).toMatchObject({ ...fed, homeThrough: 40, followed: [followed] });
  expect(welcomeOf(2, { ...followed, sequence: 30 })).toMatchObject({ ...fed, homeThrough: 30 });
  expect(welcomeOf(3, { ...followed, sequence: 50 })).toMatchObject({ ...fed, homeThrough: 40 });
  for (const home of [
    { ...followed, epoch: 6 },
    { ...followed, logId: 8 },
    { logId: 0, epoch: 0, sequence: 0 },
  ]) {
    expect(welcomeOf(4 + home.logId, home)).toMatchObject({ resume: "reconcile" });
  }
});

it("a directory refuses to follow itself or a copy of its log, and tells the two apart", () => {
  const rig = new DirectoryRig();
  const greeting = {
    type: "follow",
    ...capabilities(),
    cluster: "test",
    nowMs: 0,
  } as const;
  for (const [epoch, why] of [
    [1, "--peer"],
    [2, "copy"],
  ] as const) {
    const link = rig.connect();
    link.say({ ...greeting, logId: 7, epoch, head: 3, cursors: [] });
    expect(link.closed?.code).toBe(4414);
    expect(link.closed?.reason).toContain(why);
  }
});

it("a directory that starts takes nodes in once it has caught up with the others, or nothing listens where they ought to be", async () => {
  const rig = new GroupRig(2);
  const early = rig.directory(0).join("early", 50);
  expect(early.closed?.code).toBe(4415);
  await rig.pass(1_000);
  expect(rig.directory(0).directory.info().syncing).toBe(false);
  await rig.kill(1);
  rig.cut("d0", "d1");
  const second = rig.start(1);
  await rig.pass(300);
  expect(second.directory.notReady?.code).toBe("DIRECTORY_SYNCING");
  const probe = second.connect();
  probe.say({ type: "probe", ...capabilities(), cluster: "test", nowMs: 0 });
  expect(probe.of("standing")[0]).toMatchObject({ ready: false, logId: 71, epoch: 101 });
  await rig.pass(200);
  expect(second.directory.notReady).toBeUndefined();
  expect(second.join("late", 51).of("welcome")).toHaveLength(1);
});

it("a directory that starts takes no nodes in while it lacks what a connected one has", async () => {
  const rig = await GroupRig.start(2);
  await rig.kill(1);
  const first = rig.directory(0);
  const sender = first.join("a", 1);
  first.submit(sender, 1, 1, [first.entry("k")]);
  await rig.pass(100);
  // It has to compare what it has, and the other one has no room to settle what it would compare.
  const disk = emptyLogDisk(72);
  disk.entries.set("m", { entry: first.entry("m"), sequence: 1 });
  disk.committedThrough = 1;
  first.log.full = true;
  const second = rig.start(1, disk);
  // Longer than one that hears of nobody waits.
  await rig.pass(3_500);
  expect(second.directory.info().peers).toMatchObject([{ connected: true, reconciling: true }]);
  expect(second.directory.notReady?.code).toBe("DIRECTORY_SYNCING");
  expect(second.join("b", 2).closed?.code).toBe(4415);
  first.log.full = false;
  await rig.pass(3_000);
  expect(second.directory.notReady).toBeUndefined();
  expect(second.log.get("k")).toBeDefined();
});

it("a directory that sends its nodes away takes one in again that has nowhere else to go", async () => {
  const rig = await GroupRig.start(2);
  const [a, b] = [rig.node("a"), rig.node("b")];
  await rig.pass(1_500);
  rig.cut("b", "d1");
  const why = new MeridianError("GOING_AWAY", "Its log cannot be reached");
  rig.directory(0).directory.release(why);
  await rig.settle();
  expect(rig.directory(0).directory.info().members).toBe(0);
  await rig.pass(1_500);
  expect([a, b].map((node) => node.info())).toMatchObject([
    { directory: 1, connected: true },
    { directory: 0, connected: true },
  ]);
});

it("a node sends again what its new directory has not followed", async () => {
  const rig = await GroupRig.start(2);
  const [a, b] = [rig.node("a"), rig.node("b")];
  await rig.pass(1_500);
  rig.cut("d0", "d1");
  const receipt = await settled(rig, a.write([set("k"), set("l")]));
  const known = a.acknowledgement(receipt, "directory", 1_000);
  await rig.pass(100);
  expect(await known).toMatchObject({ reached: true });
  expect(rig.directory(1).log.get("k")).toBeUndefined();
  await rig.kill(0);
  await rig.pass(500);
  expect([a, b].map((node) => node.info())).toMatchObject([
    { directory: 1, connected: true, reconciling: false },
    { directory: 1, connected: true, reconciling: false },
  ]);
  for (const key of ["k", "l"]) expect(textOf(rig.directory(1).log.get(key))).toBe("v");
});

it.each([
  ["sends again", 2_000],
  ["compares", 0],
])(
  "a write counts as seen elsewhere only with the older ones that a lost directory had acknowledged, which its node %s",
  async (_, togetherMs) => {
    const rig = new GroupRig(2);
    if (togetherMs === 0) rig.cut("d0", "d1");
    await rig.pass(5_000);
    rig.cut("b", "d0");
    const [a, b] = [rig.node("a"), rig.node("b")];
    await rig.pass(3_000);
    rig.cut("d0", "d1");
    const older = a.write([set("older")]);
    // Durable at once; what the directory makes of it is heard later than that.
    const seen = older.then(() => a.position());
    await settled(rig, older);
    const token = await seen;
    expect(token.outboxPosition).toBe(1);
    await rig.kill(0);
    // It comes to the other directory with a newer write, which goes before what that one lacks.
    await settled(rig, a.write([set("newer")]));
    const answered = b.reach(token, 10_000).then((reached) => [reached, textOf(b.get("older"))]);
    await rig.pass(1_500);
    expect(textOf(b.get("newer"))).toBe("v");
    expect(await answered).toEqual([true, "v"]);
  },
);

it("a node that does not remember what it would have to send again reconciles", async () => {
  const rig = await GroupRig.start(2);
  const disk = emptyReplicaDisk(5);
  const entry = rig.directory(0).entry("k");
  disk.entries.set("k", entry);
  // It was at the first directory's log through 9, of which the second has nothing.
  disk.cursor = { logId: 70, epoch: 100, sequence: 9 };
  disk.others = [{ logId: 71, epoch: 101, sequence: 0 }];
  rig.cut("a", "d0");
  await rig.pass(1_000);
  const node = rig.node("a", disk);
  await rig.pass(1_000);
  expect(node.status).toBe("ready");
  expect(rig.directory(1).log.get("k")).toEqual(entry);
});

it("a node is at the next directory within two seconds, and back once the better one has caught up", async () => {
  const rig = await GroupRig.start(2);
  const node = rig.node("a");
  await rig.pass(1_000);
  expect(node.info().directory).toBe(0);
  await rig.kill(0);
  await rig.pass(300);
  expect(node.info()).toMatchObject({ directory: 1, connected: true });
  await settled(rig, node.write([set("k")]));
  rig.cut("d0", "d1");
  rig.start(0);
  // It is there and takes nodes in, but it does not follow the node's log.
  await rig.pass(15_000);
  expect(rig.directory(0).directory.notReady).toBeUndefined();
  expect(node.info()).toMatchObject({ directory: 1, connected: true });
  rig.heal("d0", "d1");
  await rig.pass(4_000);
  expect(node.info()).toMatchObject({ directory: 1 });
  await rig.pass(8_000);
  expect(node.info()).toMatchObject({ directory: 0, connected: true });
  expect(fingerprintOf(rig.directory(0).log)).toBe(fingerprintOf(rig.directory(1).log));
});

it("a node leaves a directory that cannot write for another, and comes back when it can", async () => {
  const rig = await GroupRig.start(2);
  const [node, other] = [rig.node("a"), rig.node("b")];
  await rig.pass(1_000);
  const [first, second] = [rig.directory(0), rig.directory(1)];
  first.log.full = true;
  await settled(rig, node.write([set("k")]));
  await rig.pass(7_000);
  expect(node.info()).toMatchObject({ directory: 1, outboxPending: 0, heldBack: false });
  // The one with nothing to send stays.
  expect(other.info()).toMatchObject({ directory: 0, heldBack: true });
  // The first directory follows the second one, but takes nothing in that it cannot write.
  for (let turn = 0; turn < 20; turn += 1) {
    await settled(rig, node.write([set(`k${turn}`)]));
    await rig.pass(1_000);
  }
  expect(first.metrics.levels().find(({ name }) => name === "commitBytes")?.now).toBeLessThan(
    1_000,
  );
  expect(node.info().directory).toBe(1);

  first.log.full = false;
  await rig.pass(20_000);
  expect(node.info()).toMatchObject({ directory: 0, connected: true, outboxPending: 0 });
  expect(fingerprintOf(first.log)).toBe(fingerprintOf(second.log));
  expect(textOf(other.get("k19"))).toBe("v");
});

it("a position of one directory's log is reached at another when that one has followed it so far", async () => {
  const rig = await GroupRig.start(2);
  const left = rig.node("a");
  rig.cut("b", "d0");
  const right = rig.node("b");
  await rig.pass(3_000);
  expect([left, right].map((node) => node.info().directory)).toEqual([0, 1]);
  rig.cut("d0", "d1");
  await settled(rig, left.write([set("k")]));
  await rig.pass(500);
  const reached = right.reach(left.position(), 20_000);
  let isReached: boolean | undefined;
  void reached.then((answer) => (isReached = answer));
  await rig.pass(2_000);
  expect([isReached, textOf(right.get("k"))]).toEqual([undefined, undefined]);
  rig.heal("d0", "d1");
  await rig.pass(5_000);
  expect([isReached, textOf(right.get("k"))]).toEqual([true, "v"]);
});

it("nodes of other directories are members, and are named ready where they cannot be counted", async () => {
  const rig = await GroupRig.start(2);
  const left = rig.node("a");
  rig.cut("b", "d0");
  const right = rig.node("b");
  await rig.pass(3_000);
  for (const node of [left, right])
    expect(node.members.map(({ id }) => id).toSorted()).toEqual(["a", "b"]);
  const members = rig.directory(0).directory.members.map(({ id, peer }) => [id, peer]);
  expect(members).toEqual([
    ["a", null],
    ["b", "d1"],
  ]);
  const receipt = await settled(rig, left.write([set("k")], { reportApplied: true }));
  const known = left.acknowledgement(receipt, "all", 1_000);
  await rig.pass(1_200);
  expect(await known).toMatchObject({ reached: false, nodes: ["a"], ready: ["a", "b"] });
  const ids = (): string[] => rig.directory(0).directory.members.map(({ id }) => id);
  // A directory that stood still blames nobody for the silence.
  rig.clock.standStill(10_000);
  expect(ids()).toEqual(["a", "b"]);
  await rig.pass(1_000);
  await rig.kill(1);
  await rig.pass(1_800);
  expect(ids()).toEqual(["a"]);
});

/** The outcome of a promise that needs the group to go on. */
async function settled<T>(rig: GroupRig, promise: Promise<T>): Promise<T> {
  await rig.settle();
  return promise;
}

it("a probe from another cluster is refused", () => {
  const rig = new DirectoryRig();
  const link = rig.connect();
  link.events?.onMessage(
    encodeMessage({ type: "probe", ...capabilities(), cluster: "other", nowMs: 0 }),
  );
  expect(link.closed?.code).toBe(4403);
});

it("a node that could not store what another log had sent goes on from where that log has it", async () => {
  const script = new ScriptedDirectory();
  script.welcome(0, { followed: [{ logId: 8, epoch: 2, sequence: 1 }] });
  script.feed({ after: 0, through: 5, committedThrough: 5, incarnation: 9, position: 1 }, []);
  await script.settle();
  script.clock.advance(500);
  await script.settle();
  script.reconnect();
  const there = { logId: 8, epoch: 2, epochs: [[2, 0]] as [number, number][] };
  script.welcome(3, { ...there, resumeAfter: 1, homeThrough: 5 });
  script.store.full = true;
  script.feed({ after: 1, through: 3, committedThrough: 3, incarnation: 9, position: 2 }, []);
  await script.settle();
  expect(script.replica.info()).toMatchObject({ logId: 7, applied: 5 });
  script.store.full = false;
  script.reconnect();
  script.welcome(3, { ...there, resumeAfter: 1, homeThrough: 3 });
  expect(script.replica.info()).toMatchObject({ logId: 8, applied: 1 });
});

it("a node goes back to a better directory once that has answered well for five seconds", async () => {
  const rig = await GroupRig.start(2);
  const node = rig.node("a");
  await rig.pass(1_000);
  const disk = copyLogDisk(rig.disks[0] ?? emptyLogDisk(0));
  await rig.kill(0);
  await rig.pass(4_000);
  expect(node.info().directory).toBe(1);
  const back = rig.start(0, disk);
  let goodMs = 0;
  for (let turn = 0; turn < 200 && node.info().directory !== 0; turn += 1) {
    await rig.pass(100);
    if (!back.directory.info().syncing) goodMs += 100;
  }
  expect(goodMs).toBeGreaterThanOrEqual(5_000);
  expect(goodMs).toBeLessThanOrEqual(6_300);
});
