import type { EntryMark } from "@meridian/ports";
import { isLive, MeridianError, unixMsOf } from "@meridian/protocol";
import { copyLogDisk, copyReplicaDisk, emptyLogDisk, emptyReplicaDisk } from "@meridian/testkit";
import { expect, it } from "vitest";

import { ClusterRig, codeOf, set, textOf } from "./node-rig.ts";

it("a node is ready once it is level with the directory", async () => {
  const rig = new ClusterRig();
  const { replica } = rig.node("a");
  expect(replica.status).toBe("joining");
  await rig.settle();
  expect(replica.status).toBe("ready");
});

it("a node that finds no directory serves alone after a while, and is ready once there is one", async () => {
  const rig = new ClusterRig();
  rig.isReachable = false;
  const { replica } = rig.node("a");
  await rig.pass(2_900);
  expect(replica.status).toBe("joining");
  await rig.pass(200);
  expect(replica.status).toBe("standalone");
  rig.isReachable = true;
  await rig.pass(6_000);
  expect(replica.status).toBe("ready");
});

it("a node that stood still does not give up its link for the silence, and one that hears nothing does", async () => {
  const rig = new ClusterRig();
  const { replica } = rig.node("a");
  await rig.settle();
  let greetings = 0;
  rig.onText = (text) => (greetings += Number(text.includes('"hello"')));
  rig.clock.standStill(10_000);
  expect(replica.status).toBe("ready");
  await rig.pass(5_000);
  expect(greetings).toBe(0);
  // Time passes, and nothing that is sent arrives.
  rig.clock.advance(3_000);
  expect(replica.status).not.toBe("ready");
});

it("what one node writes is in every other one, and told to it", async () => {
  const rig = new ClusterRig();
  const [a, b, c] = [rig.node("a"), rig.node("b"), rig.node("c")];
  await rig.settle();
  const written = a.replica.write([set("k", "hello")]);
  await rig.settle();
  await written;
  expect([b, c].map(({ replica }) => textOf(replica.get("k")))).toEqual(["hello", "hello"]);
  expect(b.changes.map(({ key }) => key)).toEqual(["k"]);
  expect(a.changes.map(({ key }) => key)).toEqual(["k"]);
});

it("the writes of one turn share one commit and one frame", async () => {
  const rig = new ClusterRig();
  const a = rig.node("a");
  await rig.settle();
  const writes = ["k", "l", "m"].map((key) => a.replica.write([set(key)]));
  await rig.settle();
  const receipts = await Promise.all(writes);
  expect(receipts.map(({ outboxPosition }) => outboxPosition)).toEqual([1, 1, 1]);
  expect(a.records.filter((kind) => kind === "local")).toHaveLength(1);
});

it("a check sees what the same turn wrote before, and refuses only its own batch", async () => {
  const rig = new ClusterRig();
  const a = rig.node("a");
  await rig.settle();
  const ifAbsent = (current: EntryMark | undefined): void => {
    if (current !== undefined) throw new MeridianError("PRECONDITION_FAILED", "Expected nothing");
  };
  const results = Promise.allSettled([
    a.replica.write([set("k", "first", { check: ifAbsent })]),
    a.replica.write([set("l", "never"), set("k", "second", { check: ifAbsent })]),
    a.replica.write([set("m", "third", { check: ifAbsent })]),
  ]);
  await rig.settle();
  expect((await results).map(({ status }) => status)).toEqual([
    "fulfilled",
    "rejected",
    "fulfilled",
  ]);
  expect(["k", "l", "m"].map((key) => textOf(a.replica.get(key)))).toEqual([
    "first",
    undefined,
    "third",
  ]);
});

it("a write that the disk does not take is refused, and leaves no gap in the outbox", async () => {
  const rig = new ClusterRig();
  const a = rig.node("a");
  await rig.settle();
  a.store.full = true;
  const refused = a.replica.write([set("k")]).catch(codeOf);
  await rig.settle();
  expect(await refused).toBe("STORE_FULL");
  expect(a.replica.get("k")).toBeUndefined();
  a.store.full = false;
  const taken = a.replica.write([set("k")]);
  await rig.settle();
  expect((await taken).outboxPosition).toBe(1);
  expect(a.replica.info().outboxPending).toBe(0);
});

it("a node sends nothing to a directory that cannot write, stays with it, and sends all of it afterwards", async () => {
  const rig = new ClusterRig();
  const [a, b] = [rig.node("a"), rig.node("b")];
  await rig.settle();
  const { log } = rig.directory;
  log.full = true;
  const first = a.replica.write([set("k", "first")]);
  await rig.pass(600);
  await first;
  expect(a.replica.info()).toMatchObject({ heldBack: true, outboxPending: 1 });
  for (let turn = 0; turn < 30; turn += 1) {
    const write = a.replica.write([set(`k${turn}`)]);
    await rig.pass(1_000);
    await write;
  }
  // Passed on before it was known, and no more than that.
  expect(textOf(b.replica.get("k"))).toBe("first");
  expect(b.replica.get("k0")).toBeUndefined();
  expect(a.replica.info()).toMatchObject({ heldBack: true, outboxPending: 31, connected: true });
  expect([a.replica.status, b.replica.status]).toEqual(["ready", "ready"]);
  const { connectedAtMs } = rig.directory.directory.members[0] ?? {};
  expect(connectedAtMs).toBeLessThan(rig.clock.nowMs() - 30_000);

  log.full = false;
  await rig.pass(600);
  expect(a.replica.info()).toMatchObject({ heldBack: false, outboxPending: 0 });
  expect(textOf(b.replica.get("k29"))).toBe("v");
  expect(rig.directory.directory.members[0]?.connectedAtMs).toBe(connectedAtMs);
});

it("a node that is cut off serves and writes, and all meet again", async () => {
  const rig = new ClusterRig();
  const [a, b] = [rig.node("a"), rig.node("b")];
  await rig.settle();
  await rig.cut();
  expect(a.replica.status).toBe("standalone");
  const writes = [
    a.replica.write([set("k", "from a")]),
    b.replica.write([set("l", "from b")]),
    b.replica.write([set("k", "newer", { ttlMs: 60_000 })]),
  ];
  await rig.settle();
  await Promise.all(writes);
  rig.isReachable = true;
  await rig.pass(6_000);
  for (const { replica } of [a, b]) {
    expect(replica.status).toBe("ready");
    expect(textOf(replica.get("l"))).toBe("from b");
  }
  expect(a.replica.get("k")).toEqual(b.replica.get("k"));
});

it("a write is acknowledged as widely as asked, and says what is known when time is up", async () => {
  const rig = new ClusterRig();
  const [a] = [rig.node("a"), rig.node("b"), rig.node("c")];
  await rig.settle();
  const written = a.replica.write([set("k")], { reportApplied: true });
  await rig.settle();
  const receipt = await written;
  const wait = (level: "local" | "directory" | "all" | number) =>
    a.replica.acknowledgement(receipt, level, 1_000);
  expect(await wait("local")).toMatchObject({ reached: true });
  expect(await wait("directory")).toMatchObject({ reached: true, directory: true });
  const late = a.replica.write([set("l")], { reportApplied: true });
  await rig.settle();
  const known = [a.replica.acknowledgement(await late, "all", 1_000)];
  known.push(a.replica.acknowledgement(await late, 3, 1_000));
  known.push(a.replica.acknowledgement(await late, 4, 1_000));
  await rig.pass(1_100);
  const [all, three, four] = await Promise.all(known);
  expect(all).toMatchObject({ reached: true, ready: ["a", "b", "c"] });
  expect(three).toMatchObject({ reached: true });
  expect(four).toMatchObject({ reached: false, local: true, directory: true });
  expect(four?.nodes.toSorted()).toEqual(["a", "b", "c"]);
});

it("an acknowledgement that cannot come while cut off says that the write is here alone", async () => {
  const rig = new ClusterRig();
  const a = rig.node("a");
  await rig.settle();
  await rig.cut();
  const written = a.replica.write([set("k")], { reportApplied: true });
  await rig.settle();
  const known = a.replica.acknowledgement(await written, "directory", 500);
  await rig.pass(600);
  expect(await known).toMatchObject({
    reached: false,
    local: true,
    directory: false,
    nodes: ["a"],
  });
});

it("a position is reached where everything is that its client has seen", async () => {
  const rig = new ClusterRig();
  const [a, b] = [rig.node("a"), rig.node("b")];
  await rig.settle();
  await rig.cut();
  const written = a.replica.write([set("k")]);
  await rig.settle();
  await written;
  const position = a.replica.position();
  expect(await a.replica.reach(position, 0)).toBe(true);
  const soon = b.replica.reach(position, 50);
  await rig.pass(100);
  expect(await soon).toBe(false);
  const later = b.replica.reach(position, 10_000);
  rig.isReachable = true;
  await rig.pass(6_000);
  expect(await later).toBe(true);
  expect(b.replica.get("k")).toEqual(a.replica.get("k"));
});

it("a node that did not see a position go by asks the directory for it", async () => {
  const rig = new ClusterRig();
  const a = rig.node("a");
  await rig.settle();
  const written = a.replica.write([set("k")]);
  await rig.settle();
  await written;
  const { incarnation } = a.store;
  const seen = { ...a.replica.position(), incarnation, outboxPosition: 1 };
  const late = rig.node("z");
  await rig.settle();
  const reached = late.replica.reach(seen, 1_000);
  await rig.pass(200);
  expect(await reached).toBe(true);
  const unheardOf = late.replica.reach({ ...seen, outboxPosition: 2 }, 1_000);
  await rig.pass(1_100);
  expect(await unheardOf).toBe(false);
});

it("a node whose clock is far ahead goes by the directory's, and its early writes by new stamps", async () => {
  const rig = new ClusterRig();
  rig.isReachable = false;
  const hourMs = 3_600_000;
  const [ahead, right] = [rig.node("a", { skewMs: hourMs }), rig.node("b")];
  const early = ahead.replica.write([set("k", "early", { ttlMs: 60_000 })]);
  await rig.settle();
  await early;
  expect(unixMsOf(ahead.replica.get("k")?.stamp.time ?? 0)).toBeGreaterThan(
    rig.clock.nowMs() + hourMs / 2,
  );
  rig.isReachable = true;
  await rig.pass(6_000);
  const entry = right.replica.get("k");
  expect(entry).toEqual(ahead.replica.get("k"));
  expect(ahead.forgotten).toEqual(["k"]);
  expect(unixMsOf(entry?.stamp.time ?? 0)).toBeLessThanOrEqual(rig.clock.nowMs() + 10_000);
  expect(entry && isLive(entry, rig.clock.nowMs())).toBe(true);
  expect(entry && isLive(entry, rig.clock.nowMs() + 70_000)).toBe(false);
  expect(ahead.replica.info()).toMatchObject({ skewMs: hourMs, clockCorrected: true });
  const later = right.replica.write([set("k", "later")]);
  await rig.settle();
  await later;
  expect(textOf(ahead.replica.get("k"))).toBe("later");
});

it("a node that stops offers its outbox, and refuses what comes after", async () => {
  const rig = new ClusterRig();
  const [a, b] = [rig.node("a"), rig.node("b")];
  await rig.settle();
  const written = a.replica.write([set("k")]);
  const stopped = a.replica.stop();
  expect(a.replica.status).toBe("draining");
  await rig.pass(2_500);
  await Promise.all([written, stopped]);
  expect(textOf(b.replica.get("k"))).toBe("v");
  await expect(a.replica.write([set("l")])).rejects.toMatchObject({ code: "NODE_DRAINING" });
  await rig.settle();
  expect(rig.directory.directory.members.map(({ id }) => id)).toEqual(["b"]);
});

it("an empty directory is filled again, in frames that a message can carry", async () => {
  const rig = new ClusterRig();
  const disk = emptyReplicaDisk(1);
  disk.cursor = { logId: 99, epoch: 1, sequence: 30 };
  disk.outboxThrough = disk.outboxAcknowledged = 30;
  for (let index = 0; index < 30; index += 1) {
    const entry = rig.directory.entry(`key-${index}`, 0, 100_000);
    disk.entries.set(entry.key, entry);
  }
  const { replica } = rig.node("a", { disk });
  await rig.settle();
  await rig.pass(1_000);
  expect(replica.status).toBe("ready");
  expect(rig.directory.log.summariesAfter(null, 100)).toHaveLength(30);
  const frames = rig.directory.log.read(0, Infinity);
  expect(Math.max(...frames.map(({ block }) => block.byteLength))).toBeLessThan(400_000);
});

it("a reconciliation that is cut off before its turn is not forgotten, even by a restart", async () => {
  const rig = new ClusterRig();
  const holder = rig.directory.join("h", 9, { cursor: { logId: 99, epoch: 1, sequence: 1 } });
  holder.say({ type: "reconcile", nowMs: 0 });
  await rig.settle();
  const disk = emptyReplicaDisk(1);
  // The log has lost what it had acknowledged.
  disk.cursor = { logId: 7, epoch: 9, sequence: 5 };
  disk.outboxThrough = disk.outboxAcknowledged = 5;
  const lost = rig.directory.entry("lost");
  disk.entries.set(lost.key, lost);
  const first = rig.node("a", { disk });
  await rig.settle();
  const written = first.replica.write([set("new")]);
  await rig.settle();
  await written;
  expect(first.replica.info()).toMatchObject({ outboxPending: 0, reconciling: true });
  await rig.cut();
  first.store.crash();
  rig.isReachable = true;
  holder.close(1006, "");
  const second = rig.node("a", { disk });
  await rig.pass(6_000);
  expect(second.replica.status).toBe("ready");
  expect(rig.directory.log.get("lost")).toEqual(lost);
});

it("a node that reconciles counts for no write, and reaches no position", async () => {
  const rig = new ClusterRig();
  const a = rig.node("a");
  await rig.settle();
  const disk = emptyReplicaDisk(2);
  disk.cursor = { logId: 99, epoch: 1, sequence: 1_000 };
  const holder = rig.directory.join("h", 9, { cursor: { logId: 99, epoch: 1, sequence: 1 } });
  holder.say({ type: "reconcile", nowMs: 0 });
  const b = rig.node("b", { disk });
  await rig.settle();
  expect(b.replica.info().reconciling).toBe(true);
  const written = a.replica.write([set("k")], { reportApplied: true });
  await rig.settle();
  const known = a.replica.acknowledgement(await written, 2, 300);
  const reached = b.replica.reach(a.replica.position(), 300);
  rig.clock.advance(400);
  await rig.settle();
  expect(await known).toMatchObject({ reached: false, nodes: ["a"] });
  expect(await reached).toBe(false);
});

it("an empty directory whose clock is behind is filled again, and taken further", async () => {
  const rig = new ClusterRig();
  const disk = emptyReplicaDisk(1);
  disk.cursor = { logId: 99, epoch: 1, sequence: 1 };
  const entry = rig.directory.entry("k", 3_600_000);
  disk.entries.set(entry.key, entry);
  disk.highestTime = disk.admittedTime = entry.stamp.time;
  const { replica } = rig.node("a", { disk });
  await rig.pass(1_000);
  expect(rig.directory.log.get("k")).toEqual(entry);
  const written = replica.write([set("k", "newer")]);
  await rig.settle();
  await written;
  expect(textOf(rig.directory.log.get("k"))).toBe("newer");
  expect(replica.info()).toMatchObject({ outboxPending: 0 });
});

it("cluster time is confirmed by a majority only, and only once that has held for a while", async () => {
  const rig = new ClusterRig();
  rig.isReachable = false;
  const { replica } = rig.node("a", { skewMs: 3_600_000 });
  await rig.pass(4_000);
  expect(replica.status).toBe("standalone");
  expect(replica.confirmedNowMs).toBeUndefined();
  rig.isReachable = true;
  await rig.pass(90_000);
  // One clock against another proves nothing.
  expect(replica.info()).toMatchObject({ clockCorrected: true, clockConfirmed: false });
  expect(replica.confirmedNowMs).toBeUndefined();
  rig.node("b");
  await rig.pass(30_000);
  expect(replica.info()).toMatchObject({
    clocksAgreeing: 2,
    clocksMembers: 3,
    clockConfirmed: true,
  });
  expect(replica.confirmedNowMs).toBeUndefined();
  await rig.pass(40_000);
  expect(replica.confirmedNowMs).toBe(rig.clock.nowMs());
});

it("a node that has restarted gives a log that has lost its tail what it had of that, although it knows no keys", async () => {
  const log = emptyLogDisk(7);
  const rig = new ClusterRig({}, log);
  const [a, b] = [rig.node("a"), rig.node("b")];
  const written = a.replica.write([set("before")]);
  await rig.pass(1_000);
  await written;
  const [lostTail, { cursor }] = [copyLogDisk(log), b.disk];
  const more = a.replica.write([set("k")]);
  await rig.pass(100);
  await more;
  // What is passed on before it is committed is stored without a cursor that covers it.
  const disk = { ...copyReplicaDisk(b.disk), cursor };
  for (const id of ["a", "b"]) await rig.leave(id);
  void b.replica.stop();
  await rig.replaceDirectory(lostTail);
  rig.comeBack("b");
  const [restarted, c] = [rig.node("b", { disk }), rig.node("c")];
  await rig.pass(5_000);
  expect(textOf(restarted.replica.get("k"))).toBe("v");
  expect(textOf(c.replica.get("k"))).toBe("v");
});

it("what others wrote is awaited by the store only if its writer waits to hear who has it", async () => {
  const rig = new ClusterRig();
  const [a, b] = [rig.node("a"), rig.node("b")];
  await rig.settle();
  const awaited: unknown[] = [];
  const append = b.store.append.bind(b.store);
  b.store.append = (record, done) => {
    if (record.kind === "remote") awaited.push(record.isAwaited);
    append(record, done);
  };
  for (const reportApplied of [false, true]) {
    const written = a.replica.write([set("k")], { reportApplied });
    await rig.settle();
    await written;
  }
  expect(awaited).toEqual([false, true]);
});
