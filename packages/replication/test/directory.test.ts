import { closeCodeOf, MeridianError, type ErrorCode } from "@meridian/protocol";
import { expect, it } from "vitest";

import { DirectoryRig, type TestLink } from "./rig.ts";

function expectClosed(link: TestLink, code: ErrorCode): void {
  expect(link.closed?.code).toBe(closeCodeOf(code));
}

it("a frame goes out to the others before it is durable, and is acknowledged only after", () => {
  const rig = new DirectoryRig();
  const [sender, other] = [rig.join("a", 1), rig.join("b", 2)];
  rig.submit(sender, 1, 1, [rig.entry("k"), rig.entry("l")]);
  expect(other.frames.map(({ header }) => [header.after, header.through, header.count])).toEqual([
    [0, 2, 2],
  ]);
  expect(sender.of("acknowledge")).toEqual([]);
  rig.commit();
  expect(sender.of("acknowledge")).toMatchObject([{ outboxThrough: 1, committedThrough: 2 }]);
});

it("the sender gets its own frame as a header, so that its place in the log moves", () => {
  const rig = new DirectoryRig();
  const sender = rig.join("a", 1);
  rig.submit(sender, 1, 1, [rig.entry("k")]);
  rig.commit();
  expect(sender.frames.map(({ header }) => header)).toMatchObject([
    { after: 0, through: 1, count: 0, incarnation: 1, position: 1, committedThrough: 1 },
  ]);
});

it("the sender is told of frames of its in a row by one header, before whatever it is told next", () => {
  const rig = new DirectoryRig();
  const [sender, other] = [rig.join("a", 1), rig.join("b", 2)];
  rig.submit(sender, 1, 1, [rig.entry("k")]);
  rig.submit(sender, 1, 2, [rig.entry("l"), rig.entry("m")]);
  expect(sender.frames).toEqual([]);
  rig.submit(other, 2, 1, [rig.entry("n")]);
  rig.submit(sender, 1, 3, [rig.entry("o")]);
  const places = (): unknown =>
    sender.frames.map(({ header }) => {
      const { after, through, count, incarnation, position } = header;
      return [after, through, count, incarnation, position];
    });
  const first = [
    [0, 3, 0, 1, 2],
    [3, 4, 1, 2, 1],
  ];
  expect(places()).toEqual(first);
  expect(sender.of("acknowledge")).toEqual([]);
  rig.beat(sender);
  expect(places()).toEqual([...first, [4, 5, 0, 1, 3]]);
  rig.commit();
  expect(places()).toHaveLength(3);
});

it("a frame tells how far the log is committed, not how far it is ordered", () => {
  const rig = new DirectoryRig();
  const [sender, other] = [rig.join("a", 1), rig.join("b", 2)];
  rig.submit(sender, 1, 1, [rig.entry("k")]);
  rig.submit(sender, 1, 2, [rig.entry("l")]);
  rig.commit();
  rig.submit(sender, 1, 3, [rig.entry("m")]);
  expect(other.frames.map(({ header }) => header.committedThrough)).toEqual([0, 0, 2]);
});

it("a position that came before is not ordered again, and is acknowledged again", () => {
  const rig = new DirectoryRig();
  const [sender, other] = [rig.join("a", 1), rig.join("b", 2)];
  rig.submit(sender, 1, 1, [rig.entry("k")]);
  rig.commit();
  rig.submit(sender, 1, 1, [rig.entry("k")]);
  expect(other.frames).toHaveLength(1);
  expect(sender.of("acknowledge").map(({ outboxThrough }) => outboxThrough)).toEqual([1, 1]);
});

it("a missing position ends the link, and nothing is ordered", () => {
  const rig = new DirectoryRig();
  const sender = rig.join("a", 1);
  rig.submit(sender, 1, 1, [rig.entry("k")]);
  rig.submit(sender, 1, 3, [rig.entry("m")]);
  expectClosed(sender, "OUT_OF_ORDER");
  expect(rig.directory.info().head).toBe(1);
});

it("a stamp too far ahead is refused before anyone sees it, and what comes behind it is passed over", () => {
  const rig = new DirectoryRig();
  const [sender, other] = [rig.join("a", 1), rig.join("b", 2)];
  rig.submit(sender, 1, 1, [rig.entry("k", 10_001)]);
  rig.submit(sender, 1, 2, [rig.entry("l")]);
  expect(sender.of("refuse")).toMatchObject([{ position: 1, code: "CLOCK_AHEAD" }]);
  expect(other.frames).toEqual([]);
  rig.submit(sender, 1, 1, [rig.entry("k", 10_000)]);
  rig.submit(sender, 1, 2, [rig.entry("l")]);
  expect(other.frames).toHaveLength(2);
});

it("a frame that says less than its entries are is refused, and poisons nothing", () => {
  const rig = new DirectoryRig();
  const [liar, short] = [rig.join("a", 1), rig.join("b", 2)];
  rig.submit(liar, 1, 1, [rig.entry("k", 60_000)], { highestTime: 1 });
  rig.submit(short, 2, 1, [rig.entry("k")], { count: 2 });
  expectClosed(liar, "MALFORMED_MESSAGE");
  expectClosed(short, "MALFORMED_MESSAGE");
  expect(rig.directory.info().head).toBe(0);
});

it("a node of another cluster, of another version, or without a hello is turned away", () => {
  const rig = new DirectoryRig();
  expectClosed(rig.join("a", 1, { cluster: "other" }), "WRONG_CLUSTER");
  expectClosed(rig.join("a", 1, { versions: [2, 99] }), "UNSUPPORTED_VERSION");
  const silent = rig.connect();
  rig.beat(silent);
  expectClosed(silent, "MALFORMED_MESSAGE");
  expect(rig.directory.members).toEqual([]);
});

it("the same node on a new link takes the place of its old one", () => {
  const rig = new DirectoryRig();
  const old = rig.join("a", 1);
  const young = rig.join("a", 1);
  expectClosed(old, "SESSION_REPLACED");
  expect(young.closed).toBeUndefined();
  expect(rig.directory.members).toHaveLength(1);
});

it("one node is read as it is among all, and only while it has its link here", () => {
  const rig = new DirectoryRig();
  const sender = rig.join("a", 1);
  const link = rig.join("b", 2);
  rig.submit(sender, 1, 1, [rig.entry("k")]);
  rig.beat(link, 1);
  expect(rig.directory.linked("b")).toMatchObject({ id: "b", appliedThrough: 1, peer: null });
  for (const member of rig.directory.members) {
    expect(rig.directory.linked(member.id)).toEqual(member);
  }
  rig.join("a", 1, { status: "syncing" });
  expect(rig.directory.linked("a")?.status).toBe("syncing");
  expect(rig.directory.linked("c")).toBeUndefined();
});

it("a copy of a database is refused under another id, and when its outbox has gone on elsewhere", () => {
  const rig = new DirectoryRig();
  const original = rig.join("a", 1);
  expectClosed(rig.join("b", 1), "INCARNATION_REUSED");
  rig.submit(original, 1, 1, [rig.entry("k")]);
  rig.commit();
  expectClosed(rig.join("a", 1, { outboxThrough: 0 }), "INCARNATION_REUSED");
});

it("many slow nodes share what may wait on all links, and each gets the rest from the log", () => {
  const rig = new DirectoryRig({ allLinksBytesMax: 10_000, recentBytesMax: 1_000 });
  const sender = rig.join("a", 1);
  const slow = Array.from({ length: 9 }, (_, index) => rig.join(`slow${index}`, index + 2));
  for (const node of slow) node.isSlow = true;
  for (let position = 1; position <= 50; position += 1) {
    rig.submit(sender, 1, position, [rig.entry(`key-${position}`, 0, 100)]);
    rig.commit();
  }
  // Ten links, a thousand bytes each, and a frame.
  for (const { bufferedBytes } of slow) expect(bufferedBytes).toBeLessThan(1_500);
  for (let turn = 0; turn < 50; turn += 1) for (const node of slow) node.drain();
  for (const { frames } of slow) expect(frames.at(-1)?.header.through).toBe(50);
});

it("a slow node gets no more than its bound, slows nobody, and gets the rest from the log", () => {
  const rig = new DirectoryRig({ linkBytesMax: 2_000, recentBytesMax: 1_000 });
  const [sender, slow, quick] = [rig.join("a", 1), rig.join("b", 2), rig.join("c", 3)];
  slow.isSlow = true;
  for (let position = 1; position <= 50; position += 1) {
    rig.submit(sender, 1, position, [rig.entry(`key-${position}`, 0, 100)]);
    rig.commit();
  }
  expect(quick.frames).toHaveLength(50);
  expect(slow.bufferedBytes).toBeLessThan(2_500);
  // A frame takes more memory than its bytes.
  expect(rig.directory.info().recentBytes).toBeLessThan(2_000);
  for (let turn = 0; turn < 50; turn += 1) slow.drain();
  expect(slow.frames.at(-1)?.header.through).toBe(50);
  let through = 0;
  for (const { header } of slow.frames) {
    expect(header.after).toBe(through);
    through = header.through;
  }
});

it("a node resumes after its cursor where the cursor is on this log, and reconciles where it is not", () => {
  const rig = new DirectoryRig();
  const sender = rig.join("a", 1);
  rig.submit(sender, 1, 1, [rig.entry("k"), rig.entry("l"), rig.entry("m")]);
  rig.commit();
  const resumed = rig.join("b", 2, { cursor: { logId: 7, epoch: 1, sequence: 2 } });
  expect(resumed.of("welcome")[0]?.resume).toBe("feed");
  expect(resumed.frames.map(({ header }) => [header.after, header.count])).toEqual([[2, 1]]);
  const cursors = [
    { logId: 8, epoch: 1, sequence: 2 },
    { logId: 7, epoch: 9, sequence: 2 },
  ];
  for (const [index, cursor] of cursors.entries()) {
    const lost = rig.join(`c${index}`, 10 + index, { cursor });
    expect(lost.of("welcome")[0]?.resume).toBe("reconcile");
    expect(lost.frames).toEqual([]);
  }
  // Nobody can have been told of a sequence that this epoch has not come to.
  expectClosed(
    rig.join("d", 20, { cursor: { logId: 7, epoch: 1, sequence: 4 } }),
    "MALFORMED_MESSAGE",
  );
});

it("a node whose acknowledged writes are not in the log reconciles although its cursor is on it", () => {
  const rig = new DirectoryRig();
  const node = rig.join("a", 1, { outboxThrough: 5, outboxAcknowledged: 5 });
  expect(node.of("welcome")[0]?.resume).toBe("reconcile");
  rig.submit(node, 1, 6, [rig.entry("k")]);
  expect(node.closed).toBeUndefined();
});

it("a node that comes back with less behind it than it greeted with before is believed", () => {
  const rig = new DirectoryRig();
  rig.join("a", 1, { outboxThrough: 5, outboxAcknowledged: 5 });
  // It died before that was durable.
  const back = rig.join("a", 1, { outboxThrough: 5, outboxAcknowledged: 3 });
  rig.submit(back, 1, 4, [rig.entry("k")]);
  rig.submit(back, 1, 5, [rig.entry("l")]);
  rig.commit();
  expect(back.closed).toBeUndefined();
  expect(rig.directory.info().head).toBe(2);
  expect(back.of("acknowledge").at(-1)).toMatchObject({ outboxThrough: 5 });
});

it("nodes reconcile one at a time, and a link that breaks gives its turn up", () => {
  const rig = new DirectoryRig();
  const cursor = { logId: 8, epoch: 1, sequence: 2 };
  const [first, second] = [rig.join("a", 1, { cursor }), rig.join("b", 2, { cursor })];
  for (const link of [first, second]) link.say({ type: "reconcile", nowMs: 0 });
  rig.commit();
  expect(first.of("reconcile-begin")).toHaveLength(1);
  expect(second.of("reconcile-begin")).toHaveLength(0);
  first.close(1006, "");
  rig.commit();
  expect(second.of("reconcile-begin")).toHaveLength(1);
});

it("the sender hears which nodes have applied a frame that asks for it", () => {
  const rig = new DirectoryRig();
  const [sender, b, c] = [rig.join("a", 1), rig.join("b", 2), rig.join("c", 3)];
  rig.submit(sender, 1, 1, [rig.entry("k")], { reportApplied: true });
  expect(b.frames[0]?.header.reportApplied).toBe(true);
  b.say({ type: "applied", nowMs: 0, through: 1 });
  expect(sender.of("applied-by").at(-1)).toMatchObject({ position: 1, nodes: ["b"] });
  c.say({ type: "applied", nowMs: 0, through: 1 });
  expect(sender.of("applied-by").at(-1)).toMatchObject({ nodes: ["b", "c"], ready: ["b", "c"] });
});

it("members are told who is there, with the address seen where none is given", () => {
  const rig = new DirectoryRig();
  const a = rig.join("a", 1);
  rig.join("b", 2, { ip: "2001:db8::1", port: 80 });
  rig.clock.advance(1);
  expect(
    a
      .of("members")
      .at(-1)
      ?.members.map(({ url }) => url),
  ).toEqual(["http://10.0.0.9:7401", "http://[2001:db8::1]:80"]);
});

it("a log that fails for good promises nothing and ends the directory", () => {
  const rig = new DirectoryRig();
  const sender = rig.join("a", 1);
  rig.log.append = (_frame, done) => done(new MeridianError("STORE_FAILED", "The disk is gone"));
  rig.submit(sender, 1, 1, [rig.entry("k")]);
  expect(sender.of("acknowledge")).toEqual([]);
  expectClosed(sender, "GOING_AWAY");
  expect(rig.fatal).toBe("STORE_FAILED");
});

it("a full disk is told of with every heartbeat and welcome, and ends nothing; what was passed on is stored later", () => {
  const rig = new DirectoryRig();
  const [sender, other] = [rig.join("a", 1), rig.join("b", 2)];
  rig.log.full = true;
  rig.submit(sender, 1, 1, [rig.entry("k")]);
  rig.commit();
  expect(other.frames).toHaveLength(1);
  expect(sender.of("acknowledge")).toEqual([]);
  rig.beat(sender);
  expect(sender.of("echo").at(-1)).toMatchObject({ holdBack: true, committedThrough: 0 });
  expect(rig.join("c", 3).of("welcome")[0]?.holdBack).toBe(true);
  expect(rig.directory.notReady?.code).toBe("STORE_FULL");
  const probe = rig.connect();
  const { versions, features, cluster } = rig.hello("p", 4);
  probe.say({ type: "probe", versions, features, cluster, nowMs: 0 });
  expect(probe.of("standing")[0]?.ready).toBe(false);
  // What was under way is still taken.
  rig.submit(sender, 1, 2, [rig.entry("l")]);
  expect(other.frames).toHaveLength(2);
  expect([sender.closed, other.closed, rig.fatal]).toEqual([undefined, undefined, undefined]);

  rig.log.full = false;
  rig.commit();
  expect(sender.of("acknowledge").at(-1)).toMatchObject({ outboxThrough: 2, committedThrough: 2 });
  rig.beat(sender);
  expect(sender.of("echo").at(-1)).toMatchObject({ holdBack: false, committedThrough: 2 });
  expect(rig.directory.notReady).toBeUndefined();
});

it("the log's place of a node's outbox position can be asked for", () => {
  const rig = new DirectoryRig();
  const [a, b] = [rig.join("a", 1), rig.join("b", 2)];
  rig.submit(a, 1, 1, [rig.entry("k"), rig.entry("l")]);
  b.say({ type: "locate", nowMs: 0, incarnation: 1, position: 1 });
  rig.commit();
  b.say({ type: "locate", nowMs: 0, incarnation: 1, position: 1 });
  b.say({ type: "locate", nowMs: 0, incarnation: 1, position: 2 });
  expect(b.of("located").map(({ sequence }) => sequence)).toEqual([null, 2, null]);
});

it("an outbox begins at its first position", () => {
  const rig = new DirectoryRig();
  const sender = rig.join("a", 1, { outboxThrough: 5 });
  rig.submit(sender, 1, 5, [rig.entry("k")]);
  expectClosed(sender, "OUT_OF_ORDER");
});

it("another frame at a position that is committed is that of a copy", () => {
  const rig = new DirectoryRig();
  const sender = rig.join("a", 1);
  rig.submit(sender, 1, 1, [rig.entry("k")]);
  rig.commit();
  rig.submit(sender, 1, 1, [rig.entry("l", 7)]);
  expectClosed(sender, "INCARNATION_REUSED");
});

it("a reconciliation starts at what is sure to be compared, and what comes after is fed", () => {
  const rig = new DirectoryRig();
  const [sender, lost] = [
    rig.join("a", 1),
    rig.join("b", 2, { cursor: { logId: 8, epoch: 1, sequence: 2 } }),
  ];
  rig.submit(sender, 1, 1, [rig.entry("k")]);
  rig.commit();
  lost.say({ type: "reconcile", nowMs: 0 });
  rig.submit(sender, 1, 2, [rig.entry("l")]);
  rig.commit();
  expect(lost.of("reconcile-begin").map(({ head }) => head)).toEqual([1]);
  expect(lost.frames.map(({ header }) => [header.after, header.through])).toEqual([[1, 2]]);
});

it("a turn to reconcile that does not go on is given up", () => {
  const rig = new DirectoryRig();
  const cursor = { logId: 8, epoch: 1, sequence: 2 };
  const [idle, next] = [rig.join("a", 1, { cursor }), rig.join("b", 2, { cursor })];
  for (const link of [idle, next]) link.say({ type: "reconcile", nowMs: 0 });
  rig.commit();
  for (let beat = 0; beat < 65; beat += 1) {
    rig.clock.advance(490);
    for (const link of [idle, next]) rig.beat(link);
    rig.commit();
  }
  expectClosed(idle, "OUT_OF_ORDER");
  expect(next.of("reconcile-begin")).toHaveLength(1);
});

it("a clock that is set back does not refuse what nodes cannot but issue", () => {
  const rig = new DirectoryRig();
  const sender = rig.join("a", 1);
  const ahead = rig.entry("k", 3_600_000);
  rig.submit(sender, 1, 1, [rig.entry("j")]);
  const after = rig.entry("k", 1);
  rig.clock.jump(-3_600_000);
  rig.submit(sender, 1, 2, [after]);
  expect(sender.of("refuse")).toEqual([]);
  rig.submit(sender, 1, 3, [ahead]);
  rig.beat(sender);
  expect(sender.of("refuse")).toHaveLength(1);
});

it("nobody is said to have applied what the log does not have", () => {
  const rig = new DirectoryRig();
  const [sender, boaster] = [rig.join("a", 1), rig.join("b", 2)];
  rig.beat(boaster, 1_000);
  rig.submit(sender, 1, 1, [rig.entry("k")], { reportApplied: true });
  expectClosed(boaster, "MALFORMED_MESSAGE");
  expect(sender.of("applied-by").at(-1)).toMatchObject({ nodes: [], ready: [] });
});

it("a node whose names could not be part of an address is turned away", () => {
  const rig = new DirectoryRig();
  for (const hello of [{ nodeId: "A b" }, { region: "" }, { url: "javascript:alert(1)" }]) {
    expectClosed(rig.join("a", 1, hello), "MALFORMED_MESSAGE");
  }
});

it("stamps that another directory has admitted are not refused by one whose clock is behind", () => {
  const rig = new DirectoryRig();
  const ahead = rig.entry("k", 3_600_000);
  const node = rig.join("a", 1, { admittedTime: ahead.stamp.time });
  rig.submit(node, 1, 1, [ahead]);
  expect(node.of("refuse")).toEqual([]);
});

it("who is ready may change a hundred times over for many frames, and is told once for all of them", () => {
  const rig = new DirectoryRig({ linkBytesMax: 2_000 });
  const [sender, other] = [rig.join("a", 1), rig.join("b", 2)];
  for (let position = 1; position <= 200; position += 1) {
    rig.submit(sender, 1, position, [rig.entry("k")], { reportApplied: true });
  }
  rig.commit();
  const reports = (): number => sender.of("applied-by").length;
  let before = reports();
  rig.beat(other, 100);
  expect(sender.of("applied-by").slice(before)).toMatchObject([{ position: 100, nodes: ["b"] }]);
  sender.isSlow = true;
  sender.bufferedBytes = 2_000;
  before = reports();
  rig.beat(other, 150);
  expect(reports()).toBe(before);
  sender.drain();
  rig.beat(other, 150);
  expect(sender.of("applied-by").slice(before)).toMatchObject([{ position: 150, nodes: ["b"] }]);
});

it("a node that says it has applied what it was not sent loses its link, and counts for nothing", () => {
  const rig = new DirectoryRig();
  const [writer, reader] = [rig.join("writer", 1), rig.join("reader", 2)];
  const elsewhere = { logId: 99, epoch: 1, sequence: 5 };
  // The one waits for its turn to reconcile; the link of the other has no room.
  const [unfed, slow] = [rig.join("unfed", 3, { cursor: elsewhere }), rig.join("slow", 4)];
  slow.bufferedBytes = 2 ** 30;
  rig.submit(writer, 1, 1, [rig.entry("k")], { reportApplied: true });
  rig.commit();
  unfed.say({ type: "applied", nowMs: 0, through: 1 });
  rig.beat(slow, 1);
  expect([unfed.closed?.code, slow.closed?.code]).toEqual([4400, 4400]);
  rig.beat(reader, 1);
  expect(writer.of("applied-by").map(({ nodes }) => nodes.join())).toEqual(["", "", "", "reader"]);
});
