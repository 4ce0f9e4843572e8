import { expect, it } from "vitest";

import type { Position } from "@meridian/protocol";

import { set } from "./node-rig.ts";
import { entryOf } from "./numbered-entries.ts";
import { ScriptedDirectory } from "./scripted-directory.ts";

it("a write counts among what a client has seen until the node stands where the log has it", async () => {
  const script = new ScriptedDirectory();
  script.welcome(0);
  const written = script.replica.write([set("k")]);
  await script.settle();
  await written;
  const { incarnation } = script.disk;
  expect(script.replica.position()).toMatchObject({ sequence: 0, incarnation, outboxPosition: 1 });
  const nowMs = script.clock.nowMs();
  // The log has it at 5, behind what others wrote, which the node has yet to get.
  script.say({ type: "acknowledge", nowMs, outboxThrough: 1, committedThrough: 5 });
  expect(script.replica.position()).toMatchObject({ sequence: 0, incarnation, outboxPosition: 1 });
  script.feed({ after: 0, through: 5, committedThrough: 5, incarnation, position: 1 }, []);
  expect(script.replica.position()).toMatchObject({ sequence: 5, incarnation: 0 });
});

const NOWHERE = { sequence: null, position: 1_000_000 } as const;

it.each([
  ["an epoch", { logId: 7, epoch: 2 }],
  ["a log", { logId: 8, epoch: 2 }],
])("a place in %s that is unheard of is asked of the directory", async (_, where) => {
  const script = new ScriptedDirectory();
  script.welcome(5);
  script.feed({ after: 0, through: 5, committedThrough: 5, incarnation: 9, position: 1 }, []);
  expect(script.replica.status).toBe("ready");
  const place = { ...where, sequence: 1_000_000, incarnation: 0, outboxPosition: 0 };
  // It may be newer than what the node knows: the directory may have restarted just now.
  expect(await within(script, place, 0)).toBe(false);
  const asked = script.replica.reach(place, 100);
  const nowMs = script.clock.nowMs();
  expect(script.texts.at(-1)).toMatchObject({
    type: "locate",
    incarnation: 2,
    position: 1_000_000,
  });
  // The directory lives, in the epoch that it began with: the other one is lost.
  script.say({ type: "located", nowMs, incarnation: 2, ...NOWHERE });
  expect(await asked).toBe(true);
  expect(await script.replica.reach(place, 0)).toBe(true);
});

it("an answer about an epoch counts while the directory is in its own only", async () => {
  const script = new ScriptedDirectory();
  script.welcome(0);
  const place = { logId: 7, epoch: 3, sequence: 4, incarnation: 0, outboxPosition: 0 };
  const asked = script.replica.reach(place, 5_000);
  const { sequence: position } = place;
  const nowMs = script.clock.nowMs();
  script.say({ type: "located", nowMs, incarnation: 3, position, sequence: null });
  expect(await asked).toBe(true);
  script.reconnect();
  const epochs: [number, number][] = [
    [1, 0],
    [2, 0],
  ];
  script.welcome(0, { epoch: 2, epochs });
  expect(await within(script, place, 0)).toBe(false);
  const again = script.replica.reach(place, 5_000);
  script.reconnect();
  script.welcome(4, { epoch: 3, epochs: [...epochs, [3, 0]] });
  script.feed({ after: 0, through: 4, committedThrough: 4, incarnation: 9, position: 1 }, []);
  expect(await again).toBe(true);
});

it("what an epoch lost is reached where it had been applied, and by no number elsewhere", async () => {
  const script = new ScriptedDirectory();
  script.welcome(81);
  script.feed({ after: 0, through: 81, committedThrough: 81, incarnation: 9, position: 1 }, []);
  await script.settle();
  const place = { logId: 7, epoch: 1, incarnation: 0, outboxPosition: 0 };
  const epochs: [number, number][] = [
    [1, 0],
    [2, 81],
  ];
  const goOn = (homeThrough: number): void => {
    script.reconnect();
    script.welcome(81, { epoch: 2, epochs, resumeAfter: 81, homeThrough });
    script.feed({ after: 81, through: 99, committedThrough: 99, incarnation: 9, position: 7 }, []);
  };
  goOn(81);
  await script.settle();
  expect(await within(script, { ...place, sequence: 81 }, 0)).toBe(true);
  expect(await within(script, { ...place, sequence: 82 }, 0)).toBe(false);
});

/** A node whose directory has begun another epoch, which lacks an entry that the node had of the one before. */
async function inNextEpoch(): Promise<{ script: ScriptedDirectory; lost: Position }> {
  const script = new ScriptedDirectory();
  script.welcome(0);
  const header = { after: 0, through: 1, committedThrough: 0, incarnation: 9, position: 1 };
  script.feed(header, [entryOf(1, 1)]);
  await script.settle();
  expect(script.replica.position()).toMatchObject({ epoch: 1, sequence: 1 });
  script.reconnect();
  const epochs: [number, number][] = [
    [1, 0],
    [2, 0],
  ];
  script.welcome(0, { epoch: 2, epochs });
  const lost = { logId: 7, epoch: 1, sequence: 1, incarnation: 0, outboxPosition: 0 };
  return { script, lost };
}

it("a client is told the place in the epoch that was left until what it lost is sent again", async () => {
  const { script, lost } = await inNextEpoch();
  expect(script.replica.position()).toMatchObject(lost);
  await script.settle();
  const { incarnation } = script.disk;
  expect(script.replica.position()).toMatchObject({ epoch: 2, incarnation, outboxPosition: 1 });
  expect(await within(script, lost, 0)).toBe(true);
});

it("what an epoch lost is still reached where it had been applied, after another directory and in later epochs", async () => {
  const { script, lost } = await inNextEpoch();
  await script.settle();
  script.reconnect();
  script.welcome(2, { logId: 8, epoch: 3, epochs: [[3, 0]] });
  script.feed({ after: 0, through: 2, committedThrough: 2, incarnation: 9, position: 2 }, []);
  await script.settle();
  expect(script.replica.position()).toMatchObject({ logId: 8, epoch: 3 });
  expect(await within(script, lost, 0)).toBe(true);
  script.reconnect();
  const epochs: [number, number][] = [
    [1, 0],
    [2, 0],
    [4, 0],
  ];
  script.welcome(3, { epoch: 4, epochs });
  script.feed({ after: 0, through: 3, committedThrough: 3, incarnation: 9, position: 3 }, []);
  await script.settle();
  expect(script.replica.position()).toMatchObject({ logId: 7, epoch: 4 });
  expect(await within(script, lost, 0)).toBe(true);
  expect(await within(script, { ...lost, sequence: 2 }, 0)).toBe(false);
});

it("what comes until then is not reached: the place that a client is told does not cover it", async () => {
  const { script, lost } = await inNextEpoch();
  const seen = { ...lost, incarnation: 8, outboxPosition: 3 };
  script.feed({ after: 0, through: 1, incarnation: 8, position: 3 }, [entryOf(2, 1)]);
  expect(script.replica.hasReached(seen)).toBe(false);
  await script.settle();
  expect(script.replica.hasReached(seen)).toBe(true);
});

it("the place in the epoch that was left is not reached by a node whose disk has refused entries since", async () => {
  const { script, lost } = await inNextEpoch();
  script.store.full = "entries";
  script.feed({ after: 0, through: 1, incarnation: 8, position: 3 }, [entryOf(2, 1)]);
  await script.settle();
  expect(script.replica.hasReached(lost)).toBe(false);
});

it("who asked before the disk refused what the node had is told a place that covers it", async () => {
  const script = new ScriptedDirectory();
  script.welcome(0);
  const first = { after: 0, through: 2, committedThrough: 2, incarnation: 9, position: 1 };
  script.feed(first, [entryOf(1, 1), entryOf(2, 2)]);
  await script.settle();
  const { losses } = script.replica;
  script.store.full = "entries";
  script.feed({ ...first, after: 2, through: 3, committedThrough: 3, position: 2 }, [
    entryOf(3, 3),
  ]);
  // A request that came with this position is let in, and goes on for longer than the record of the frame.
  const asked = script.replica.position();
  expect(asked).toMatchObject({ sequence: 3 });
  await script.settle();
  expect(script.replica.position()).not.toMatchObject({ sequence: 3 });
  expect(script.replica.position(losses)).toMatchObject({ sequence: 3 });
  script.store.full = false;
  const written = script.replica.write([set("k")]);
  await script.settle();
  await written;
  const { incarnation } = script.disk;
  const seen = { sequence: 3, incarnation, outboxPosition: 1 };
  expect(script.replica.position(losses)).toMatchObject(seen);
});

it("reports of a log that took over say nothing of what another one had acknowledged", async () => {
  const script = new ScriptedDirectory();
  script.welcome(0);
  const receipts = [];
  for (const key of ["k", "l"]) {
    const written = script.replica.write([set(key)], { reportApplied: true });
    await script.settle();
    receipts.push(await written);
  }
  const nowMs = script.clock.nowMs();
  script.say({ type: "acknowledge", nowMs, outboxThrough: 1, committedThrough: 1 });
  script.reconnect();
  script.welcome(0, { resume: "reconcile" });
  script.say({ type: "applied-by", nowMs, position: 2, nodes: ["b"], ready: ["b"] });
  const known = receipts.map((receipt) => script.replica.acknowledgement(receipt, 2, 100));
  script.clock.advance(200);
  expect(await Promise.all(known)).toMatchObject([{ reached: false }, { reached: true }]);
});

it("where another log has a write says nothing to a node that waits for its turn to reconcile with it", async () => {
  const script = new ScriptedDirectory();
  script.welcome(5);
  script.feed({ after: 0, through: 5, committedThrough: 5, incarnation: 9, position: 1 }, []);
  await script.settle();
  const write = { logId: 0, epoch: 0, sequence: 0, incarnation: 9, outboxPosition: 2 };
  const located = { type: "located", incarnation: 9, position: 2, sequence: 3 } as const;
  script.reconnect();
  script.welcome(4, { resume: "reconcile", epoch: 2 });
  const reached = script.replica.reach(write, 100);
  script.say({ ...located, nowMs: script.clock.nowMs() });
  script.clock.advance(200);
  expect(await reached).toBe(false);
});

it("a place in a log that a node has left covers nothing that another one has acknowledged", async () => {
  const script = new ScriptedDirectory();
  script.welcome(0);
  script.feed({ after: 0, through: 5, committedThrough: 5, incarnation: 9, position: 1 }, []);
  script.reconnect();
  script.welcome(0, { resume: "reconcile", epoch: 2 });
  const written = script.replica.write([set("k")]);
  await script.settle();
  await written;
  const nowMs = script.clock.nowMs();
  script.say({ type: "acknowledge", nowMs, outboxThrough: 1, committedThrough: 1 });
  const { incarnation } = script.disk;
  expect(script.replica.position()).toMatchObject({ sequence: 5, incarnation, outboxPosition: 1 });
});

it("nor do those of one that lacks some of it, until that has been sent again", async () => {
  const script = new ScriptedDirectory();
  script.welcome(0);
  const written = script.replica.write([set("k")], { reportApplied: true });
  await script.settle();
  const receipt = await written;
  script.feed({ after: 0, through: 1, committedThrough: 1, incarnation: 1, position: 1 }, []);
  const nowMs = script.clock.nowMs();
  script.say({ type: "acknowledge", nowMs, outboxThrough: 1, committedThrough: 1 });
  script.reconnect();
  // Another log has all but that.
  script.welcome(0, { logId: 8, epoch: 2, homeThrough: 0 });
  await script.settle();
  expect(script.frames.at(-1)).toMatchObject({ position: 2, entries: [{ key: "k" }] });
  const known = script.replica.acknowledgement(receipt, 2, 100);
  const report = (position: number): void =>
    script.say({ type: "applied-by", nowMs, position, nodes: ["b"], ready: ["b"] });
  report(1);
  script.clock.advance(200);
  expect(await known).toMatchObject({ reached: false, nodes: ["a"] });
  report(2);
  expect(await script.replica.acknowledgement(receipt, 2, 100)).toMatchObject({ reached: true });
});

it.each([
  ["an epoch that is unheard of, of a log that is followed,", 2, 8],
  ["a log that is unheard of, where as many are known as there are directories,", 2, 9],
  ["a log that is unheard of, which may be that of a directory out of reach,", 3, 9],
])("a place in %s is not reached", async (_, directories, logId) => {
  const script = new ScriptedDirectory(directories);
  script.welcome(0, { followed: [{ logId: 8, epoch: 3, sequence: 4 }] });
  await script.settle();
  const place = { logId, epoch: 4, sequence: 1, incarnation: 0, outboxPosition: 0 };
  const reached = script.replica.reach(place, 100);
  script.say({ type: "located", nowMs: script.clock.nowMs(), incarnation: 4, ...NOWHERE });
  script.clock.advance(200);
  expect(await reached).toBe(false);
});

/** Whether the node reaches a place within so many milliseconds in which nothing happens. */
async function within(script: ScriptedDirectory, place: Position, ms: number): Promise<boolean> {
  const reached = script.replica.reach(place, ms);
  script.clock.advance(ms + 1);
  return reached;
}

it("an answer to what nobody asked, or to what has been answered, ends the link and tells nothing", async () => {
  for (const answers of [1, 2]) {
    const script = new ScriptedDirectory();
    script.welcome(0);
    const place = { logId: 7, epoch: 3, sequence: 4, incarnation: 0, outboxPosition: 0 };
    const asked = answers === 2 ? script.replica.reach(place, 5_000) : undefined;
    const said = { type: "located", incarnation: 3, position: 4, sequence: null } as const;
    for (let told = 0; told < answers; told += 1) {
      expect(script.closed).toBeUndefined();
      script.say({ ...said, nowMs: script.clock.nowMs() });
    }
    expect(script.closed).toBe(4400);
    expect(await asked).toBe(answers === 2 ? true : undefined);
  }
});

it("many who wait for one place ask the directory once", async () => {
  const script = new ScriptedDirectory();
  script.welcome(0);
  const place = { logId: 7, epoch: 3, sequence: 1_000_000, incarnation: 0, outboxPosition: 0 };
  const asked = [1, 2, 3].map(() => script.replica.reach(place, 5_000));
  expect(script.texts.filter(({ type }) => type === "locate")).toHaveLength(1);
  script.say({ type: "located", nowMs: script.clock.nowMs(), incarnation: 3, ...NOWHERE });
  expect(await Promise.all(asked)).toEqual([true, true, true]);
});
