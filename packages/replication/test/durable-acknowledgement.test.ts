/** What is durable as the cursor covers what is durable as acknowledged: the outbox forgets nothing before. */
import { stampTimeOf, type Entry } from "@meridian/protocol";
import { describe, expect, it } from "vitest";

import { SavableOutbox } from "../src/node/savable-outbox.ts";
import { set } from "./node-rig.ts";
import { ScriptedDirectory } from "./scripted-directory.ts";

function entryOf(script: ScriptedDirectory, key: string): Entry {
  const stamp = { time: stampTimeOf(script.clock.nowMs()), origin: 5 };
  const value = new TextEncoder().encode("v");
  return { key, value, contentType: "text/plain", stamp, expiresAtMs: 0, deleted: false };
}

async function write(script: ScriptedDirectory): Promise<void> {
  const written = script.replica.write([set("own")]);
  await script.settle();
  await written;
}

/** The log has the node's first write at `sequence`, and the time has come to save what is known. */
async function acknowledge(script: ScriptedDirectory, sequence: number): Promise<void> {
  const nowMs = script.clock.nowMs();
  script.say({ type: "acknowledge", nowMs, outboxThrough: 1, committedThrough: sequence });
  script.clock.advance(500);
  await script.settle();
}

async function beat(script: ScriptedDirectory, times: number): Promise<void> {
  for (let time = 0; time < times; time += 1) {
    script.clock.advance(400);
    await script.settle();
  }
}

/** A new link brings nothing: the outbox keeps what no cursor covers. */
async function expectKept(script: ScriptedDirectory): Promise<void> {
  script.welcome(5);
  await beat(script, 3);
  const covered = script.disk.cursor?.sequence ?? 0;
  expect({ covered, kept: script.disk.outbox.length }).toEqual({ covered: 0, kept: 1 });
}

it("waits in a compacted part of the log, where a restart begins again", async () => {
  const script = new ScriptedDirectory();
  script.welcome(9);
  await write(script);
  const compacted = { after: 0, through: 5, committedThrough: 9, position: 9 };
  script.feed(compacted, [entryOf(script, "k")]);
  await script.settle();
  await acknowledge(script, 5);
  expect(script.disk).toMatchObject({ outboxAcknowledged: 0, outbox: [{ position: 1 }] });
  script.feed({ after: 5, through: 9, committedThrough: 9, incarnation: 3, position: 1 }, []);
  script.clock.advance(500);
  await script.settle();
  expect(script.disk).toMatchObject({ cursor: { sequence: 9 }, outboxAcknowledged: 1 });
});

it("waits for entries that the disk refuses, although it takes small records", async () => {
  const script = new ScriptedDirectory();
  script.welcome(0);
  await write(script);
  script.store.full = "entries";
  const frame = { after: 0, through: 5, committedThrough: 5, incarnation: 3, position: 1 };
  script.feed(frame, [entryOf(script, "k")]);
  await acknowledge(script, 5);
  script.reconnect();
  // There is room again before the frame comes again.
  script.store.full = false;
  await expectKept(script);
});

it("waits again for a cursor that the disk has taken back", async () => {
  const script = new ScriptedDirectory();
  script.welcome(0);
  await write(script);
  // The entries are durable; the cursor follows once the log is, and is refused together with the acknowledgement.
  const frame = { after: 0, through: 5, incarnation: 3, position: 1 };
  script.feed(frame, [entryOf(script, "k")]);
  await script.settle();
  script.store.full = true;
  await acknowledge(script, 5);
  script.reconnect();
  script.store.full = false;
  await expectKept(script);
});

it("waits for a place that was acknowledged before node and log compared", async () => {
  const script = new ScriptedDirectory();
  const nowMs = script.clock.nowMs();
  script.welcome(4, { resume: "reconcile" });
  await write(script);
  await acknowledge(script, 5);
  script.say({ type: "reconcile-begin", nowMs, head: 4, horizon: 0 });
  const compare = script.texts.findLast((message) => message.type === "compare");
  script.say({ type: "compared", nowMs, id: compare?.id ?? 0, differing: [] });
  await beat(script, 3);
  expect(script.disk).toMatchObject({ cursor: { sequence: 4 }, outboxAcknowledged: 0 });
  script.feed({ after: 4, through: 5, committedThrough: 5, incarnation: 1, position: 1 }, []);
  await beat(script, 3);
  expect(script.disk).toMatchObject({ cursor: { sequence: 5 }, outboxAcknowledged: 1 });
});

it("waits for it also where a comparison goes on that was begun on a link before", async () => {
  const script = new ScriptedDirectory();
  const nowMs = script.clock.nowMs();
  script.welcome(4, { resume: "reconcile" });
  script.say({ type: "reconcile-begin", nowMs, head: 4, horizon: 0 });
  await write(script);
  await acknowledge(script, 5);
  script.reconnect();
  script.welcome(5, { resume: "reconcile" });
  script.say({ type: "reconcile-begin", nowMs, head: 4, horizon: 0 });
  await script.settle();
  const compare = script.texts.findLast((message) => message.type === "compare");
  script.say({ type: "compared", nowMs, id: compare?.id ?? 0, differing: [] });
  await beat(script, 3);
  expect(script.disk).toMatchObject({ cursor: { logId: 0 }, outboxAcknowledged: 0 });
  script.feed({ after: 4, through: 5, committedThrough: 5, incarnation: 1, position: 1 }, []);
  await beat(script, 3);
  expect(script.disk).toMatchObject({ cursor: { sequence: 5 }, outboxAcknowledged: 1 });
});

it("has the cursor follow in another log only from where that was when the node had arrived there", async () => {
  const script = new ScriptedDirectory();
  script.welcome(0);
  await write(script);
  script.feed({ after: 0, through: 1, committedThrough: 1, incarnation: 1, position: 1 }, []);
  await acknowledge(script, 1);
  expect(script.disk).toMatchObject({ cursor: { sequence: 1 }, outboxAcknowledged: 1 });
  // The other log has that write within a compacted stretch, through which the node has not come.
  const { logId, epoch } = script.disk.cursor ?? { logId: 0, epoch: 0 };
  const other = { logId: logId + 1, epoch: epoch + 1 };
  script.reconnect();
  script.welcome(5, { ...other, resumeAfter: 0, homeThrough: 1 });
  const compacted = { after: 0, through: 5, committedThrough: 9, position: 9 };
  script.feed(compacted, [entryOf(script, "k")]);
  await beat(script, 3);
  expect(script.disk.cursor).toMatchObject({ logId, sequence: 1 });
});

it("waits for the cursor in the log that acknowledges, where the disk has taken the node back to another", () => {
  const [before, after] = [
    { logId: 7, epoch: 1 },
    { logId: 8, epoch: 2 },
  ];
  const outbox = new SavableOutbox(0);
  outbox.enterLog(before);
  outbox.enterLog(after);
  outbox.acknowledge(1, 5);
  outbox.cover({ ...before, sequence: 9 });
  outbox.cover({ ...after, epoch: 1, sequence: 9 });
  expect(outbox.position).toBe(0);
  outbox.cover({ ...after, sequence: 5 });
  expect(outbox.position).toBe(1);
});

describe("the cursor passes no entries that the disk has refused, although it has room again before their turn to hear of that comes", () => {
  const fails = (promise: Promise<unknown>): void => void promise.catch(() => {});
  /** What is on its way to the disk before those entries, and fails with them. */
  const BEFORE: [string, (script: ScriptedDirectory) => void][] = [
    ["an acknowledgement", (script) => script.clock.advance(500)],
    [
      "a write",
      (script) => {
        fails(script.replica.write([set("another")]));
        script.turn();
      },
    ],
    ["a drop from the quarantine", (script) => fails(script.replica.quarantine.drop([1]))],
  ];

  it.each(BEFORE)("behind %s", async (_, hand) => {
    const script = new ScriptedDirectory();
    script.welcome(0);
    await write(script);
    const first = { after: 0, through: 3, committedThrough: 3, incarnation: 3, position: 1 };
    script.feed(first, [entryOf(script, "j")]);
    await script.settle();
    const committed = (through: number): void => {
      const nowMs = script.clock.nowMs();
      script.say({ type: "acknowledge", nowMs, outboxThrough: 1, committedThrough: through });
    };
    committed(3);
    expect(script.disk).toMatchObject({ cursor: { sequence: 3 }, outboxAcknowledged: 0 });
    hand(script);
    script.store.full = true;
    const next = { after: 3, through: 5, committedThrough: 3, incarnation: 3, position: 2 };
    script.feed(next, [entryOf(script, "k")]);
    committed(5);
    script.turn();
    script.store.full = false;
    await script.settle();
    await beat(script, 1);
    expect(script.disk.cursor).toMatchObject({ sequence: 3 });
    expect(script.disk.entries.has("k")).toBe(false);
  });
});
