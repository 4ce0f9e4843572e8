import { expect, it } from "vitest";

import { set } from "./node-rig.ts";
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

it("a place in an epoch that a node has not heard of is not reached by how far it is in its own", async () => {
  const script = new ScriptedDirectory();
  script.welcome(5);
  script.feed({ after: 0, through: 5, committedThrough: 5, incarnation: 9, position: 1 }, []);
  script.replica.drain();
  await script.settle();
  const place = { logId: 7, sequence: 3, incarnation: 0, outboxPosition: 0 };
  expect(await script.replica.reach({ ...place, epoch: 1 }, 0)).toBe(true);
  const elsewhere = script.replica.reach({ ...place, epoch: 2 }, 100);
  script.clock.advance(200);
  expect(await elsewhere).toBe(false);
});

it("reports of a log that took over say nothing of what another one had acknowledged", async () => {
  const script = new ScriptedDirectory();
  script.welcome(0);
  const receipts = [];
  for (const key of ["k", "l"]) {
    const written = script.replica.write([set(key)], true);
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
  const written = script.replica.write([set("k")], true);
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
  ["an epoch that is unheard of, of a log that is followed,", 2, 8, false],
  ["a log that is unheard of, where all that there are are known,", 2, 9, true],
  ["a log that is unheard of, which may be that of a directory out of reach,", 3, 9, false],
])("a place in %s is reached or not", async (_, directories, logId, isReached) => {
  const script = new ScriptedDirectory(directories);
  script.welcome(0, { followed: [{ logId: 8, epoch: 3, sequence: 4 }] });
  await script.settle();
  const place = { logId, epoch: 4, sequence: 1, incarnation: 0, outboxPosition: 0 };
  const reached = script.replica.reach(place, 100);
  script.clock.advance(200);
  expect(await reached).toBe(isReached);
});
