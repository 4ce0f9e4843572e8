import {
  closeCodeOf,
  decodeBlock,
  encodeBlock,
  MeridianError,
  stampTimeOf,
  unixMsOf,
  type DirectoryMessage,
  type Entry,
  type OutboxFrame,
  type Welcome,
} from "@meridian/protocol";
import { copyReplicaDisk, type ReplicaDisk } from "@meridian/testkit";
import { describe, expect, it } from "vitest";

import { ClusterRig, set, textOf } from "./node-rig.ts";
import { ScriptedDirectory } from "./scripted-directory.ts";

const HOUR_MS = 3_600_000;
/** Further ahead than a directory admits, and soon over. */
const CATCH_UP_MS = 15_000;

/** The refusal of a directory whose clock is an hour behind, and which nobody contradicts. */
function refusal(nowMs: number, position: number): Extract<DirectoryMessage, { type: "refuse" }> {
  const timeMax = stampTimeOf(nowMs - HOUR_MS + 10_000);
  return { type: "refuse", nowMs: nowMs - HOUR_MS, position, code: "CLOCK_AHEAD", timeMax };
}

it("what the directory has taken before it refuses a frame keeps its stamps, and what follows lies above", async () => {
  const script = new ScriptedDirectory();
  script.welcome(0);
  const writes = [];
  for (const value of ["first", "second"]) {
    writes.push(script.replica.write([set("k", value)]));
    await script.settle();
  }
  await Promise.all(writes);
  const [first, second] = script.frames;
  // The directory's clock is an hour behind; it has taken the first for what it had admitted before.
  script.say(refusal(script.clock.nowMs(), 2));
  await script.settle();
  const [, , firstAgain, secondAgain] = script.frames;
  expect(firstAgain).toEqual(first);
  expect(secondAgain?.position).toBe(2);
  const [kept] = first?.entries ?? [];
  const [restamped] = secondAgain?.entries ?? [];
  expect(restamped?.value).toEqual(second?.entries[0]?.value);
  expect(restamped?.stamp.time).toBeGreaterThan(kept?.stamp.time ?? Infinity);
});

it("what a lost acknowledgement would have told of admitted stamps is learnt from the next welcome", async () => {
  const script = new ScriptedDirectory();
  script.welcome(0);
  const written = script.replica.write([set("k")]);
  await script.settle();
  const { time } = (await written).entries[0]?.stamp ?? { time: NaN };
  script.reconnect();
  script.welcome(1, { outboxThrough: 1, outboxTime: time });
  script.reconnect();
  // The next directory may be another one, whose clock is behind: it is to take what was admitted already.
  expect(script.texts.at(-1)).toMatchObject({ type: "hello", admittedTime: time });
});

it("what another node wrote keeps its stamp, although it has replaced what is offered again", async () => {
  const script = new ScriptedDirectory();
  const written = script.replica.write([set("k", "mine")]);
  await script.settle();
  await written;
  script.welcome(1);
  const stamp = { time: stampTimeOf(script.clock.nowMs() + 5_000), origin: 5 };
  const theirs: Entry = {
    key: "k",
    value: new TextEncoder().encode("theirs"),
    contentType: "text/plain",
    stamp,
    expiresAtMs: 0,
    deleted: false,
  };
  const header = { after: 0, through: 1, committedThrough: 1, incarnation: 9, position: 1 };
  script.feed(header, [theirs]);
  await script.settle();
  script.say(refusal(script.clock.nowMs(), 1));
  await script.settle();
  for (const { entries } of script.frames) {
    for (const entry of entries) expect(entry.stamp.time).toBeLessThanOrEqual(stamp.time);
  }
  expect(script.replica.get("k")).toEqual(theirs);
});

/** Three writes of one key are refused; while the first is on its way to the disk, what others wrote comes in. */
async function interrupted(key: string): Promise<{ script: ScriptedDirectory; theirs: Entry }> {
  const script = new ScriptedDirectory();
  for (const value of ["oldest", "older", "newer"]) {
    const written = script.replica.write([set("k", value)]);
    await script.settle();
    await written;
  }
  script.welcome(1);
  script.say(refusal(script.clock.nowMs(), 1));
  const theirs: Entry = {
    key,
    value: new TextEncoder().encode("theirs"),
    contentType: "text/plain",
    stamp: { time: stampTimeOf(script.clock.nowMs() + 5_000), origin: 5 },
    expiresAtMs: 0,
    deleted: false,
  };
  const header = { after: 0, through: 1, committedThrough: 1, incarnation: 9, position: 1 };
  script.feed(header, [theirs]);
  await script.settle();
  return { script, theirs };
}

it("nor does it get a new one when it comes in while others do", async () => {
  const { script, theirs } = await interrupted("k");
  expect(script.replica.get("k")).toEqual(theirs);
  for (const { entries } of script.frames) {
    for (const { stamp } of entries) expect(stamp.time).toBeLessThanOrEqual(theirs.stamp.time);
  }
});

it("what comes in while writes get new stamps leaves their order, here and for the others", async () => {
  const { script } = await interrupted("elsewhere");
  const sent = [1, 2, 3].flatMap(
    (position) => script.frames.findLast((frame) => frame.position === position)?.entries ?? [],
  );
  expect(sent.map(textOf)).toEqual(["oldest", "older", "newer"]);
  const times = sent.map(({ stamp }) => stamp.time);
  expect(times).toEqual(times.toSorted((one, other) => one - other));
  expect(script.replica.get("k")).toEqual(sent.at(-1));
});

it.each([
  ["by its clock", 0],
  ["by what it has admitted", 1],
])("several writes of one key keep their order, refused %s", async (_, known) => {
  const script = new ScriptedDirectory();
  script.welcome(0);
  if (known === 1) {
    const header = { after: 0, through: 1, committedThrough: 1, incarnation: 9, position: 1 };
    const stamp = { time: stampTimeOf(script.clock.nowMs() - 1), origin: 5 };
    const more = { contentType: "", expiresAtMs: 0, deleted: false };
    script.feed(header, [{ key: "theirs", value: new Uint8Array(), stamp, ...more }]);
  }
  const writes = [set("k", "older"), set("other"), set("k", "newer")].map((write) => [write]);
  for (const batch of [...writes, [set("k", "newest"), set("k", "last")]]) {
    const written = script.replica.write(batch);
    await script.settle();
    await written;
  }
  script.say(refusal(script.clock.nowMs(), 1));
  await script.settle();
  const sent = script.frames.slice(-4).flatMap(({ entries }) => entries);
  const ofKey = sent.filter(({ key }) => key === "k");
  expect(ofKey.map(textOf)).toEqual(["older", "newer", "newest", "last"]);
  const times = ofKey.map(({ stamp }) => stamp.time);
  expect(times).toEqual(times.toSorted((one, other) => one - other));
  expect(script.replica.get("k")).toEqual(ofKey.at(-1));
});

it.each([0, 1, 2])(
  "a disk that refuses new stamps after %i frames leaves the writes in order",
  async (frames) => {
    const script = new ScriptedDirectory();
    script.welcome(0);
    for (const value of ["oldest", "older", "newer"]) {
      const written = script.replica.write([set("k", value)]);
      await script.settle();
      await written;
    }
    const append = script.store.append.bind(script.store);
    let left = frames;
    script.store.append = (record, done) => {
      if (record.kind === "restamp") left -= 1;
      if (left >= 0) return append(record, done);
      done(new MeridianError("STORE_FULL", "Expected room on the disk, got none"));
    };
    script.say(refusal(script.clock.nowMs(), 1));
    await script.settle();
    expect(left).toBe(-1);
    const frameOf = ({ block, count }: OutboxFrame): Entry[] => decodeBlock(block, count);
    const kept = script.store.outboxAfter(0, 1_000_000).flatMap(frameOf);
    expect(kept.map(textOf)).toEqual(["oldest", "older", "newer"]);
    const times = kept.map(({ stamp }) => stamp.time);
    expect(times).toEqual(times.toSorted((one, other) => one - other));
    // A directory that is set right meanwhile admits what has kept its stamp: the node has nothing less than it.
    expect(script.replica.get("k")).toEqual(kept.at(-1));
  },
);

/** A database whose process died while it gave a write, which it was sending for the second time, a new stamp. */
async function cutOff(): Promise<{ disk: ReplicaDisk; refused: Entry }> {
  const script = new ScriptedDirectory();
  const written = script.replica.write([set("k", "once")]);
  await script.settle();
  const [refused] = (await written).entries;
  const [first] = script.disk.outbox;
  if (refused === undefined || first === undefined) throw new Error("Expected a write, got none");
  const disk = copyReplicaDisk(script.disk);
  const renewed = { ...refused, stamp: { ...refused.stamp, time: refused.stamp.time - 1_000 } };
  disk.entries.set("k", renewed);
  const { time } = renewed.stamp;
  disk.outbox = [
    { ...first, highestTime: time, block: encodeBlock([renewed]) },
    { ...first, position: 2 },
  ];
  disk.outboxThrough = 2;
  return { disk, refused };
}

it("a node above which its log has a write of its own compares with it", async () => {
  const { disk, refused } = await cutOff();
  const script = new ScriptedDirectory(1, disk);
  script.welcome(0);
  await script.settle();
  expect(script.frames.at(-1)?.entries).toEqual([refused]);
  const acknowledge = (through: number): void => {
    const nowMs = script.clock.nowMs();
    script.say({ type: "acknowledge", nowMs, committedThrough: through, outboxThrough: through });
  };
  acknowledge(1);
  await script.settle();
  expect(script.closed).toBeUndefined();
  acknowledge(2);
  await script.settle();
  expect(script.closed).toBe(closeCodeOf("OUT_OF_ORDER"));
  script.reconnect();
  script.welcome(2);
  expect(script.texts.map(({ type }) => type)).toContain("reconcile");
});

it("writes keep their order where the clocks contradict the directory that refuses them", async () => {
  const script = new ScriptedDirectory();
  script.welcome(0);
  for (const value of ["oldest", "older", "newer"]) {
    const written = script.replica.write([set("k", value, { ttlMs: HOUR_MS })]);
    await script.settle();
    await written;
    script.clock.advance(100);
  }
  const ends = script.replica.get("k")?.expiresAtMs;
  script.say(refusal(script.clock.nowMs(), 1));
  await script.settle();
  const sent = script.frames.slice(-3).flatMap(({ entries }) => entries);
  expect(sent.map(textOf)).toEqual(["oldest", "older", "newer"]);
  const times = sent.map(({ stamp }) => stamp.time);
  expect(times).toEqual(times.toSorted((one, other) => one - other));
  expect(script.replica.get("k")).toEqual(sent.at(-1));
  expect(script.replica.get("k")?.expiresAtMs).toBe(ends);
});

it("a node that renews stamps compares only once it has renewed all of them", async () => {
  const script = new ScriptedDirectory();
  const writes = [];
  for (let index = 0; index < 10; index += 1) {
    writes.push(script.replica.write([set(`k${index}`)]));
    await script.settle();
  }
  await Promise.all(writes);
  const nowMs = script.clock.nowMs() - HOUR_MS;
  script.welcome(0, { nowMs });
  const before = script.disk.entries.get("k0")?.stamp.time ?? NaN;
  script.say(refusal(script.clock.nowMs(), 1));
  const isRenewed = (key: string): boolean =>
    (script.disk.entries.get(key)?.stamp.time ?? NaN) < before;
  const until = async (key: string): Promise<void> => {
    for (let turn = 0; turn < 200 && !isRenewed(key); turn += 1) {
      script.turn();
      await Promise.resolve();
    }
  };
  await until("k0");
  const asked = (): number => script.texts.filter(({ type }) => type === "reconcile").length;
  script.reconnect();
  script.welcome(0, { nowMs, resume: "reconcile" });
  await until("k4");
  expect([isRenewed("k4"), isRenewed("k9"), asked()]).toEqual([true, false, 0]);
  await script.settle();
  expect([isRenewed("k9"), asked(), script.closed]).toEqual([true, 1, undefined]);
});

/** A backup of a database whose incarnation is drawn anew before it is opened. */
const GIVEN_ANEW = { incarnation: 4_711, isCopy: true };

it("a restored backup brings nothing back that it had not sent when its clock was wrong", () =>
  expectNothingBack({}));

it("nor does one that was given a new incarnation before it was opened", () =>
  expectNothingBack(GIVEN_ANEW));

it.each([
  ["that the directory finds", {}],
  ["that was given a new incarnation before it was opened", GIVEN_ANEW],
])("nor does one %s, when time has caught up with its clock", (_, given) =>
  expectNothingBack(given, CATCH_UP_MS),
);

it("what replaced a write of a restored copy stays above it, where the log turns out to have that write", async () => {
  const original = new ScriptedDirectory();
  const [replaced, newer] = [set("k", "replaced"), set("k", "newer")];
  for (const write of [replaced, newer]) {
    const written = original.replica.write([write]);
    await original.settle();
    await written;
    original.clock.advance(1_000);
  }
  const { disk, sent } = copyByAnotherProcess(original.disk);
  const copy = new ScriptedDirectory(1, disk);
  copy.welcome(0);
  await copy.settle();
  // New stamps are given once this write is durable.
  void copy.replica.write([set("other")]);
  copy.turn();
  copy.reconnect(closeCodeOf("INCARNATION_REUSED"));
  copy.welcome(1);
  copy.feed({ after: 0, through: 1 }, sent.slice(0, 1));
  await copy.settle();
  expect(copy.disk.incarnation).not.toBe(original.disk.incarnation);
  const held = copy.store.get("k");
  expect(textOf(held)).toBe("newer");
  expect(held?.stamp.time).toBeGreaterThan(sent[0]?.stamp.time ?? NaN);
});

/** A copy of a disk, as if a process had written everything that draws another origin than the next one does; and what it has to send. */
function copyByAnotherProcess(original: ReplicaDisk): { disk: ReplicaDisk; sent: Entry[] } {
  const disk = copyReplicaDisk(original);
  const byAnother = (entry: Entry): Entry => ({ ...entry, stamp: { ...entry.stamp, origin: 9 } });
  for (const [key, entry] of disk.entries) disk.entries.set(key, byAnother(entry));
  const frames = disk.outbox.map((frame) => ({
    frame,
    entries: decodeBlock(frame.block, frame.count).map(byAnother),
  }));
  disk.outbox = frames.map(({ frame, entries }) => ({ ...frame, block: encodeBlock(entries) }));
  return { disk, sent: frames.flatMap(({ entries }) => entries) };
}

/**
 * Restores a node as it was before its writes had been refused, sent anew and replaced. `given` is what is done to the backup. Its clock was ahead
 * by `skewMs`: where that is less than an hour, it is right by the time of the restore, and all that it has written lies in the past.
 */
async function expectNothingBack(given: Partial<ReplicaDisk>, skewMs = HOUR_MS): Promise<void> {
  const rig = new ClusterRig();
  const b = rig.node("b");
  await rig.pass(500);
  await rig.leave("a");
  const a = rig.node("a", { skewMs });
  const written = a.replica.write([set("k", "old"), set("only", "kept")]);
  await rig.settle();
  await written;
  const backup = { ...copyReplicaDisk(a.disk), ...given };
  rig.comeBack("a");
  await rig.pass(3_000);
  expect(textOf(b.replica.get("k"))).toBe("old");
  const replaced = b.replica.write([set("k", "new")]);
  await rig.pass(1_000);
  await replaced;
  expect(textOf(a.replica.get("k"))).toBe("new");
  await rig.leave("a");
  void a.replica.stop();
  const isRightByNow = skewMs < HOUR_MS;
  if (isRightByNow) await rig.pass(skewMs);
  const restored = rig.node("a", { skewMs: isRightByNow ? 0 : skewMs, disk: backup });
  rig.comeBack("a");
  await rig.pass(10_000);
  for (const { replica } of [b, restored]) {
    expect(["k", "only"].map((key) => textOf(replica.get(key)))).toEqual(["new", "kept"]);
  }
  expect(restored.replica.get("only")).toEqual(b.replica.get("only"));
  expect(restored.replica.info()).toMatchObject({ connected: true, outboxPending: 0 });
}

describe("the end of a write that gets a new stamp", () => {
  const TTL_MS = 60_000;

  /** What becomes of a write whose stamp a directory refuses that says what time it is, `said`. */
  async function ended(said: Partial<Welcome>, isWrittenBefore: boolean) {
    const script = new ScriptedDirectory();
    const write = async (key: string): Promise<void> => {
      const written = script.replica.write([set(key, "v", { ttlMs: TTL_MS })]);
      await script.settle();
      await written;
    };
    await write("before");
    if (isWrittenBefore) await write("k");
    script.welcome(0, { nowMs: script.clock.nowMs() - HOUR_MS, ...said });
    if (!isWrittenBefore) await write("k");
    const made = script.replica.get("k");
    script.say(refusal(script.clock.nowMs(), 1));
    await script.settle();
    const renewed = script.replica.get("k");
    expect(script.frames.at(-1)?.entries).toEqual([renewed]);
    if (made === undefined || renewed === undefined) throw new Error("Expected the write");
    const { stamp, expiresAtMs, ...rest } = renewed;
    expect({ ...made, ...rest }).toEqual(made);
    return {
      movedMs: Math.round(unixMsOf(stamp.time) - unixMsOf(made.stamp.time)),
      endMovedMs: Math.round(expiresAtMs - made.expiresAtMs),
    };
  }

  it("moves with the stamp that a wrong clock has made", async () => {
    expect(await ended({}, true)).toEqual({ movedMs: -HOUR_MS, endMovedMs: -HOUR_MS });
  });

  it("stays where no majority confirms the time", async () => {
    const clock = { aheadMs: 0, agreeing: 2, members: 5 };
    expect(await ended({ clock }, true)).toEqual({ movedMs: -HOUR_MS, endMovedMs: 0 });
  });

  it("stays where it was reckoned by the right time", async () => {
    expect(await ended({}, false)).toEqual({ movedMs: -HOUR_MS, endMovedMs: 0 });
  });
});
