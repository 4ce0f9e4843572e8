/** Frames of a node's neighbours that have come before they are ordered. */
import {
  agree,
  BURIAL_ORIGIN,
  capabilities,
  EARLY,
  FRAME_KIND,
  HEAT,
  OWN_FRAMES,
  stampTimeOf,
  tombstone,
  type Entry,
  type FrameHeader,
} from "@meridian/protocol";
import { emptyReplicaDisk } from "@meridian/testkit";
import { describe, expect, it } from "vitest";

import { set } from "./node-rig.ts";
import { ScriptedDirectory } from "./scripted-directory.ts";

/** The outbox of a neighbour. */
const NEIGHBOUR = 9;

interface Told {
  readonly script: ScriptedDirectory;
  readonly changes: Entry[];
  readonly dropped: Entry[];
}

function told(directories = 1, disk = emptyReplicaDisk(1)): Told {
  const [changes, dropped]: [Entry[], Entry[]] = [[], []];
  const script = new ScriptedDirectory(directories, disk, {
    onChange: (entries) => changes.push(...entries),
    onRestamped: (entries) => dropped.push(...entries),
  });
  script.welcome(0);
  return { script, changes, dropped };
}

function entryAt(script: ScriptedDirectory, key: string, aheadMs = 0, origin = 5): Entry {
  const stamp = { time: stampTimeOf(script.clock.nowMs() + aheadMs), origin };
  const value = new TextEncoder().encode(`${key} ${aheadMs}`);
  return { key, value, contentType: "", stamp, expiresAtMs: 0, deleted: false };
}

function giveEarly(
  script: ScriptedDirectory,
  entries: readonly Entry[],
  header: Partial<FrameHeader> = {},
): void {
  const place = { incarnation: NEIGHBOUR, position: 1, ...header };
  script.feed({ kind: FRAME_KIND.early, ...place }, entries);
}

/** Lets seconds pass, in which the directory is there. */
function pass(script: ScriptedDirectory, seconds: number): void {
  for (let each = 0; each < seconds; each += 1) {
    script.clock.advance(1_000);
    const nowMs = script.clock.nowMs();
    const place = { head: 0, committedThrough: 0, followed: [], horizon: 0, horizonAt: 0 };
    const clock = { aheadMs: 0, agreeing: 2, members: 2 };
    script.say({ type: "echo", nowMs, echoMs: nowMs, ...place, holdBack: false, clock });
  }
}

/** The log brings the frames of the neighbour's outbox in their order. */
function order(script: ScriptedDirectory, position: number, entries: readonly Entry[]): void {
  const place = { incarnation: NEIGHBOUR, position, after: position - 1, through: position };
  script.feed({ ...place, committedThrough: position }, entries);
}

describe("what comes before it is ordered", () => {
  it("is served and told at once, and leaves the node's place in the log and its store as they were", async () => {
    const { script, changes } = told();
    const entry = entryAt(script, "k");
    giveEarly(script, [entry]);
    await script.settle();
    expect(script.replica.get("k")).toEqual(entry);
    expect(changes).toEqual([entry]);
    expect(script.replica.info()).toMatchObject({ applied: 0, behind: 0 });
    expect([script.store.get("k"), script.disk.cursor?.sequence ?? 0]).toEqual([undefined, 0]);
  });

  it("is told once: not again when the log has it", async () => {
    const { script, changes } = told();
    const [early, other] = [entryAt(script, "k"), entryAt(script, "l")];
    giveEarly(script, [early]);
    order(script, 1, [early]);
    order(script, 2, [other]);
    await script.settle();
    expect(changes).toEqual([early, other]);
    expect(script.replica.early.isEmpty).toBe(true);
    expect(script.store.get("k")).toEqual(early);
  });

  it("is what a write is checked against, and stands below it", async () => {
    const { script } = told();
    const early = entryAt(script, "k", 5_000);
    giveEarly(script, [early]);
    const seen: unknown[] = [];
    const check = (current: unknown): void => void seen.push(current);
    const written = script.replica.write([{ ...set("k"), check }]);
    await script.settle();
    const [entry] = (await written).entries;
    expect(seen).toEqual([early]);
    expect(entry?.stamp.time).toBeGreaterThan(early.stamp.time);
    expect(script.replica.get("k")).toEqual(entry);
  });

  it("is gone with its process, and comes again", async () => {
    const { script } = told();
    giveEarly(script, [entryAt(script, "k")]);
    await script.settle();
    const later = told(1, script.disk);
    expect(later.script.replica.get("k")).toBeUndefined();
  });

  it("gives way to what the log has at its place, though that has lower stamps", () => {
    const { script, dropped } = told();
    const [high, low] = [entryAt(script, "k", 900), entryAt(script, "k")];
    giveEarly(script, [high]);
    order(script, 1, [low]);
    expect(script.replica.get("k")).toEqual(low);
    expect(dropped).toEqual([high]);
  });

  it("holds the horizon below it while this node may have to send it", () => {
    const { script } = told();
    const entry = entryAt(script, "k", -3_600_000);
    giveEarly(script, [entry]);
    script.clock.advance(500);
    const lowest = script.texts.flatMap((text) =>
      text.type === "heartbeat" ? [text.lowestTime] : [],
    );
    expect(lowest.at(-1)).toBe(entry.stamp.time);
  });
});

describe("a position", () => {
  it("names the outboxes of which something is here that the log has not brought", () => {
    const { script } = told();
    giveEarly(script, [entryAt(script, "k")]);
    giveEarly(script, [entryAt(script, "l")], { position: 2 });
    const named = [{ incarnation: NEIGHBOUR, outboxPosition: 2 }];
    expect(script.replica.position()).toMatchObject({ sequence: 0, early: named });
    order(script, 1, [entryAt(script, "k")]);
    expect(script.replica.position()).toMatchObject({ sequence: 1, early: named });
    order(script, 2, [entryAt(script, "l")]);
    expect(script.replica.position()).toEqual({
      logId: 7,
      epoch: 1,
      sequence: 2,
      incarnation: 0,
      outboxPosition: 0,
    });
  });

  it("is reached where the same has come early, or in the log, and nowhere else", async () => {
    const { script } = told();
    const early = [
      { incarnation: NEIGHBOUR, outboxPosition: 1 },
      { incarnation: 8, outboxPosition: 3 },
    ];
    const place = { logId: 7, epoch: 1, sequence: 0, incarnation: 0, outboxPosition: 0, early };
    expect(script.replica.hasReached(place)).toBe(false);
    giveEarly(script, [entryAt(script, "k")]);
    const asked = script.replica.reach(place, 5_000);
    const nowMs = script.clock.nowMs();
    expect(script.texts.at(-1)).toMatchObject({ type: "locate", incarnation: 8, position: 3 });
    script.say({ type: "located", nowMs, incarnation: 8, position: 3, sequence: 1 });
    expect(script.replica.hasReached(place)).toBe(false);
    order(script, 1, [entryAt(script, "k")]);
    expect(await asked).toBe(true);
  });

  it("is not reached by a frame before which another one is missing", () => {
    const { script } = told();
    const early = [{ incarnation: NEIGHBOUR, outboxPosition: 3 }];
    giveEarly(script, [entryAt(script, "k")], { position: 3 });
    const place = { logId: 7, epoch: 1, sequence: 0, incarnation: 0, outboxPosition: 0, early };
    expect(script.replica.hasReached(place)).toBe(false);
    expect(script.replica.position()).toEqual(place);
    giveEarly(script, [entryAt(script, "l")], { position: 4 });
    expect(script.replica.hasReached(place)).toBe(false);
  });
});

describe("what the log does not bring in time", () => {
  it("is sent by this node, with the stamps that it has", async () => {
    const { script, changes } = told();
    const [lost, kept] = [entryAt(script, "lost"), entryAt(script, "kept")];
    giveEarly(script, [lost]);
    pass(script, 6);
    giveEarly(script, [kept], { position: 2 });
    pass(script, 6);
    await script.settle();
    expect(script.frames.flatMap(({ entries }) => entries)).toEqual([lost]);
    expect(script.frames.map(({ position }) => position)).toEqual([1]);
    expect(script.store.get("lost")).toEqual(lost);
    const named = [{ incarnation: NEIGHBOUR, outboxPosition: 2 }];
    expect(script.replica.position()).toMatchObject({ outboxPosition: 1, early: named });
    expect(changes.filter(({ key }) => key === "kept")).toEqual([kept]);
    // It comes once more from a neighbour that was away.
    giveEarly(script, [lost]);
    expect([...script.replica.early.keys]).toEqual(["kept"]);
  });

  it("is not sent where the log has brought something newer", async () => {
    const { script } = told();
    giveEarly(script, [entryAt(script, "k")]);
    const place = { incarnation: 7, position: 1, after: 0, through: 1, committedThrough: 1 };
    script.feed(place, [entryAt(script, "k", 1)]);
    script.clock.advance(20_000);
    await script.settle();
    expect([script.frames, script.replica.early.isEmpty]).toEqual([[], true]);
  });
});

describe("an early frame is not taken in", () => {
  const grave = (script: ScriptedDirectory): Entry =>
    tombstone("k", { ...entryAt(script, "k").stamp, origin: BURIAL_ORIGIN });
  it.each<[string, (script: ScriptedDirectory) => readonly Entry[], Partial<FrameHeader>]>([
    [
      "with attributes",
      (script) => [{ ...entryAt(script, "k"), attributes: new Uint8Array(4) }],
      {},
    ],
    ["with a burial", (script) => [grave(script)], {}],
    ["with a reserved key", (script) => [entryAt(script, "\u0000k")], {}],
    ["of the node's own outbox", (script) => [entryAt(script, "k")], { incarnation: 1 }],
    [
      "of more keys than there is room for",
      (script) => Array.from({ length: 8_193 }, (_, at) => entryAt(script, `k${at}`)),
      {},
    ],
  ])("%s", (_, entries, header) => {
    const { script } = told();
    giveEarly(script, entries(script), header);
    expect([script.replica.early.isEmpty, script.closed]).toEqual([true, undefined]);
  });

  it("of more outboxes than a position names", () => {
    const { script } = told();
    for (let outbox = 10; outbox < 30; outbox += 1) {
      giveEarly(script, [entryAt(script, `k${outbox}`)], { incarnation: outbox });
    }
    expect(script.replica.position().early).toHaveLength(8);
    expect([...script.replica.early.keys]).toHaveLength(8);
  });

  it("that the log has brought", () => {
    const { script } = told();
    const entry = entryAt(script, "k");
    order(script, 1, [entry]);
    giveEarly(script, [entry]);
    expect(script.replica.early.isEmpty).toBe(true);
  });

  it("by a node that is behind, or compares", () => {
    const behind = told().script;
    const compacted = { after: 0, through: 5, committedThrough: 9, position: 9, incarnation: 0 };
    behind.feed(compacted, [entryAt(behind, "a")]);
    giveEarly(behind, [entryAt(behind, "k")]);
    expect(behind.replica.early.isEmpty).toBe(true);
    const comparing = told().script;
    comparing.reconnect();
    comparing.welcome(5, { resume: "reconcile", logId: 8 });
    giveEarly(comparing, [entryAt(comparing, "k")]);
    expect(comparing.replica.early.isEmpty).toBe(true);
  });
});

it("a node that was not asked whether it takes early frames closes the link for one", () => {
  const { script } = told();
  script.reconnect();
  script.welcome(0, agree(capabilities(HEAT, OWN_FRAMES, EARLY)));
  giveEarly(script, [entryAt(script, "k")]);
  expect(script.closed).toBe(4400);
});

it.each<[string, Partial<FrameHeader>]>([
  ["a sequence", { through: 1 }],
  ["a watermark", { committedThrough: 1 }],
  ["no outbox", { incarnation: 0 }],
  ["no position", { position: 0 }],
  ["a flag", { reportApplied: true }],
])("an early frame with %s ends the link", (_, header) => {
  const { script } = told();
  giveEarly(script, [entryAt(script, "k")], header);
  expect(script.closed).toBe(4400);
});
