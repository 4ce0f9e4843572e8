/** A directory refuses what another one has forwarded: when that comes back with the old stamps, it does not win over what was written since. */
import {
  encodeBlock,
  FRAME_KIND,
  OWN_FRAMES,
  replaces,
  stampTimeOf,
  type Entry,
  type Welcome,
} from "@meridian/protocol";
import { copyReplicaDisk, emptyReplicaDisk } from "@meridian/testkit";
import { expect, it } from "vitest";

import { set, textOf } from "./node-rig.ts";
import { ScriptedDirectory } from "./scripted-directory.ts";

const HOUR_MS = 3_600_000;

/** A node whose write of `k` a directory has refused whose clock is an hour behind; and the write as it was before. */
async function restamped(): Promise<{ script: ScriptedDirectory; before: Entry }> {
  const script = new ScriptedDirectory(2);
  const written = script.replica.write([set("k", "first")]);
  await script.settle();
  const [before] = (await written).entries;
  if (before === undefined) throw new Error("Expected a write, got none");
  const nowMs = script.clock.nowMs() - HOUR_MS;
  script.welcome(0, { nowMs });
  const timeMax = stampTimeOf(nowMs + 10_000);
  script.say({ type: "refuse", nowMs, position: 1, code: "CLOCK_AHEAD", timeMax });
  await script.settle();
  expect(replaces(before, script.replica.get("k"))).toBe(true);
  return { script, before };
}

/** The log brings an entry, as another directory had it. */
async function feed(script: ScriptedDirectory, entry: Entry, after = 0): Promise<void> {
  script.feed({ after, through: after + 1, committedThrough: after + 1, incarnation: 0 }, [entry]);
  await script.settle();
}

/** The node and a log that has come to 5 compare what they have, and the log donates an entry. */
async function donate(script: ScriptedDirectory, entry: Entry): Promise<void> {
  const nowMs = script.clock.nowMs();
  script.welcome(5, { resume: "reconcile" });
  script.say({ type: "reconcile-begin", nowMs, head: 5, horizon: 0 });
  await script.settle();
  const compare = script.texts.findLast(({ type }) => type === "compare");
  if (compare?.type !== "compare") throw new Error("Expected the node to compare");
  script.say({ type: "compared", nowMs, id: compare.id, differing: [0] });
  const offer = script.texts.findLast(({ type }) => type === "offer");
  if (offer?.type !== "offer") throw new Error("Expected the node to offer");
  script.feed({ kind: FRAME_KIND.donation, position: offer.id }, [entry]);
  script.say({ type: "wanted", nowMs, id: offer.id, donated: 1, keys: [] });
  await script.settle();
}

async function write(script: ScriptedDirectory, request: ReturnType<typeof set>): Promise<void> {
  const written = script.replica.write([request]);
  await script.settle();
  await written;
}

it("a delete stays, here and for the others, when the refused write comes back as it was", async () => {
  const { script, before } = await restamped();
  await write(script, set("k", "", { deleted: true }));
  await feed(script, before);
  const held = script.replica.get("k");
  expect(held?.deleted).toBe(true);
  expect(replaces(before, held)).toBe(false);
  expect(script.frames.at(-1)?.entries).toEqual([held]);
});

it("so does what another node has written since", async () => {
  const { script, before } = await restamped();
  const { time } = script.replica.get("k")?.stamp ?? { time: NaN };
  const stamp = { time: time + 1, origin: 5 };
  const theirs = { ...before, value: new TextEncoder().encode("theirs"), stamp };
  await feed(script, theirs);
  await feed(script, before, 1);
  const held = script.replica.get("k");
  expect(textOf(held)).toBe("theirs");
  expect(replaces(before, held)).toBe(false);
  expect(script.frames.at(-1)?.entries).toEqual([held]);
});

it("what was written by someone who knew the refused write stays above it", async () => {
  const { script, before } = await restamped();
  const stamp = { time: before.stamp.time + 1, origin: 1 };
  const theirs = { ...before, value: new TextEncoder().encode("theirs"), stamp };
  await feed(script, before);
  await feed(script, theirs, 1);
  expect(script.replica.get("k")).toEqual(theirs);
});

it("a key that is forgotten here stays deleted", async () => {
  const { script, before } = await restamped();
  script.disk.entries.delete("k");
  await feed(script, before);
  expect(script.replica.get("k")?.deleted).toBe(true);
  expect(script.frames.at(-1)?.entries).toEqual([script.replica.get("k")]);
});

it("a process that is started later knows which stamps were taken back", async () => {
  const { script, before } = await restamped();
  await write(script, set("k", "", { deleted: true }));
  const later = new ScriptedDirectory(2, copyReplicaDisk(script.disk));
  later.welcome(0, { nowMs: later.clock.nowMs() - HOUR_MS });
  await later.settle();
  await feed(later, before);
  expect(later.replica.get("k")?.deleted).toBe(true);
  expect(replaces(before, later.replica.get("k"))).toBe(false);
});

it("the node's place in the log does not pass the refused write before its answer is durable", async () => {
  const { script, before } = await restamped();
  await write(script, set("k", "", { deleted: true }));
  const append = script.store.append.bind(script.store);
  const held: (() => void)[] = [];
  script.store.append = (record, done) => {
    if (record.kind === "local") held.push(() => append(record, done));
    else append(record, done);
  };
  await feed(script, before);
  script.clock.advance(600);
  await script.settle();
  expect(held).toHaveLength(1);
  expect(script.disk.cursor?.sequence ?? 0).toBe(0);
  for (const run of held) run();
  await script.settle();
  script.clock.advance(600);
  await script.settle();
  expect(script.disk.cursor?.sequence).toBe(1);
});

it("a donation does not bring the refused write back", async () => {
  const { script, before } = await restamped();
  await write(script, set("k", "", { deleted: true }));
  script.reconnect();
  await donate(script, before);
  const held = script.replica.get("k");
  expect([held?.deleted, replaces(before, held)]).toEqual([true, false]);
  expect(script.frames.at(-1)?.entries).toContainEqual(held);
  // The reconciliation waits until the log has that.
  expect(script.texts.some(({ type }) => type === "reconciled")).toBe(false);
});

it("the node's next greetings ask for its own frames, which a log may have under the old stamps", async () => {
  const { script } = await restamped();
  const asks = (): boolean[] =>
    script.texts.flatMap((text) =>
      text.type === "hello" ? [text.features.includes(OWN_FRAMES)] : [],
    );
  script.reconnect();
  const later = new ScriptedDirectory(2, copyReplicaDisk(script.disk));
  expect(asks()).toEqual([false, true]);
  expect(later.texts[0]).toMatchObject({ features: expect.arrayContaining([OWN_FRAMES]) });
});

/** A node that has settled in the log 7, was in the log 8 before, and has the write of `k` in its outbox. */
async function movedOn(welcome: Partial<Welcome>): Promise<ScriptedDirectory> {
  const disk = emptyReplicaDisk(1);
  disk.cursor = { logId: 8, epoch: 1, sequence: 3 };
  disk.others = [{ logId: 9, epoch: 1, sequence: 2 }];
  disk.tail = [];
  const script = new ScriptedDirectory(2, disk);
  await write(script, set("k", "first"));
  script.welcome(0, { nowMs: script.clock.nowMs() - HOUR_MS, ...welcome });
  await script.settle();
  return script;
}

async function refuse(script: ScriptedDirectory): Promise<void> {
  const nowMs = script.clock.nowMs() - HOUR_MS;
  const timeMax = stampTimeOf(nowMs + 10_000);
  script.say({ type: "refuse", nowMs, position: 1, code: "CLOCK_AHEAD", timeMax });
  await script.settle();
}

const places = (script: ScriptedDirectory): unknown => {
  const hello = script.texts.findLast(({ type }) => type === "hello");
  return hello?.type === "hello" ? [hello.cursors, hello.home?.logId] : undefined;
};

it("the node forgets its places in other logs, which may have the refused write before them", async () => {
  const script = await movedOn({ homeThrough: 3 });
  script.clock.advance(600);
  await script.settle();
  script.reconnect();
  const here = { logId: 7, epoch: 1, sequence: 0 };
  expect(places(script)).toEqual([
    [{ logId: 9, epoch: 1, sequence: 2 }, { logId: 8, epoch: 1, sequence: 3 }, here],
    7,
  ]);
  script.welcome(0, { nowMs: script.clock.nowMs() - HOUR_MS, homeThrough: 0 });
  await script.settle();
  await refuse(script);
  expect(script.closed).toBeUndefined();
  script.reconnect();
  expect(places(script)).toEqual([[here], 7]);
  expect([script.disk.others, script.disk.cursor]).toEqual([[], here]);
});

it("a node that has not arrived where its write is refused compares with the next log, in a later process too", async () => {
  const script = await movedOn({ head: 5, committedThrough: 5, homeThrough: 3 });
  await refuse(script);
  script.reconnect();
  expect(places(script)).toEqual([[], 0]);
  const later = new ScriptedDirectory(2, copyReplicaDisk(script.disk));
  expect(places(later)).toEqual([[], 0]);
});

it("a log that has the refused write as it was does not make a restored copy of the node's database", async () => {
  const { script, before } = await restamped();
  const { incarnation } = script.store;
  script.reconnect();
  script.welcome(1, {
    nowMs: script.clock.nowMs() - HOUR_MS,
    outboxThrough: 1,
    outboxTime: before.stamp.time,
  });
  await script.settle();
  expect(script.store.incarnation).toBe(incarnation);
  await feed(script, before);
  expect(replaces(before, script.replica.get("k"))).toBe(false);
  expect(script.frames.at(-1)?.entries).toEqual([script.replica.get("k")]);
});

it("many refused writes that come back are outranked in frames of bounded size", async () => {
  const script = new ScriptedDirectory(2);
  const value = "v".repeat(100_000);
  const keys = Array.from({ length: 30 }, (_, index) => `k${index}`);
  const written = script.replica.write(keys.map((key) => set(key, value)));
  await script.settle();
  const { entries: before } = await written;
  const nowMs = script.clock.nowMs() - HOUR_MS;
  script.welcome(0, { nowMs });
  const timeMax = stampTimeOf(nowMs + 10_000);
  script.say({ type: "refuse", nowMs, position: 1, code: "CLOCK_AHEAD", timeMax });
  await script.settle();
  const sent = script.frames.length;
  script.feed({ after: 0, through: 30, committedThrough: 30, incarnation: 0 }, before);
  await script.settle();
  const frames = script.frames.slice(sent);
  expect(frames.length).toBeGreaterThan(1);
  expect(frames.flatMap(({ entries }) => entries.map(({ key }) => key))).toEqual(keys);
  for (const entry of before) expect(replaces(entry, script.replica.get(entry.key))).toBe(false);
});

it("what the original of a restored copy has sent comes back with the stamps that it was acknowledged with", async () => {
  const original = new ScriptedDirectory();
  const written = original.replica.write([set("k", "sent")]);
  await original.settle();
  const [entry] = (await written).entries;
  if (entry === undefined) throw new Error("Expected a write, got none");
  // As if another process had written it, which draws another origin.
  const sent = { ...entry, stamp: { ...entry.stamp, origin: 9 } };
  const disk = { ...copyReplicaDisk(original.disk), isCopy: true };
  disk.entries.set("k", sent);
  disk.outbox = disk.outbox.map((frame) => ({ ...frame, block: encodeBlock([sent]) }));
  const copy = new ScriptedDirectory(1, disk);
  await copy.settle();
  expect(replaces(sent, copy.replica.get("k"))).toBe(true);
  copy.reconnect();
  await donate(copy, sent);
  expect(copy.replica.get("k")).toEqual(sent);
});
