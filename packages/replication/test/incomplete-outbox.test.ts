/** Frames of a node that go before what a log lacks: they tell nobody that the log has what was before them in the outbox. */
import { capabilities, INCOMPLETE_OUTBOX, MEMBERS_CHANGED } from "@meridian/protocol";
import { expect, it } from "vitest";

import { set, textOf } from "./node-rig.ts";
import { DirectoryRig, type TestLink } from "./rig.ts";
import { ScriptedDirectory } from "./scripted-directory.ts";

const INCOMPLETE = { incomplete: true, reportApplied: true } as const;

/** Where the directory says that it has position 6 of outbox 1. */
function locate(rig: DirectoryRig, link: TestLink): number | null | undefined {
  link.say({ type: "locate", nowMs: rig.clock.nowMs(), incarnation: 1, position: 6 });
  return link.of("located").at(-1)?.sequence;
}

it("such a frame has no position for others, and is a duplicate for its sender all the same", () => {
  const rig = new DirectoryRig();
  const sent = { outboxThrough: 8, outboxAcknowledged: 5 };
  const [sender, other] = [rig.join("a", 1, sent), rig.join("b", 2)];
  rig.submit(sender, 1, 6, [rig.entry("k")], INCOMPLETE);
  rig.commit();
  const headers = (): unknown[] => other.frames.map(({ header }) => header);
  expect(headers()).toMatchObject([
    { incarnation: 1, position: 0, incomplete: false, reportApplied: true },
  ]);
  expect(sender.of("acknowledge")).toMatchObject([{ outboxThrough: 6 }]);
  expect(locate(rig, other)).toBe(null);
  // From the log it comes as it went out.
  const late = rig.join("c", 3);
  expect(late.frames.map(({ header }) => header)).toMatchObject([{ incarnation: 1, position: 0 }]);

  rig.submit(sender, 1, 6, [rig.entry("k")], INCOMPLETE);
  expect(other.frames).toHaveLength(1);
  expect(sender.of("acknowledge")).toHaveLength(2);
  // Nobody has it yet, whoever is asked about.
  rig.beat(other);
  expect(sender.of("applied-by").at(-1)).toMatchObject({ nodes: [] });

  rig.submit(sender, 1, 7, [rig.entry("lacked")]);
  rig.commit();
  expect(headers()[1]).toMatchObject({ incarnation: 1, position: 7 });
  expect(locate(rig, other)).toBe(2);
});

it("a frame may say so only where that was agreed on, and a directory never does", async () => {
  const rig = new DirectoryRig();
  const link = rig.join("a", 1, { ...capabilities(), features: [MEMBERS_CHANGED] });
  rig.submit(link, 1, 1, [rig.entry("k")], INCOMPLETE);
  expect(link.closed?.code).toBe(4400);
  const script = new ScriptedDirectory();
  script.welcome(0);
  script.feed({ after: 0, through: 1, ...INCOMPLETE }, [rig.entry("k")]);
  expect(script.closed).toBe(4400);
});

/**
 * A node that had a write acknowledged in log 7, and comes to log 8, which does not have it, with a newer one. `meanwhile` runs in the turn
 * in which the node is taken in, before it.
 */
async function moved(
  features: string[],
  meanwhile: (script: ScriptedDirectory) => void = () => {},
): Promise<ScriptedDirectory> {
  const script = new ScriptedDirectory();
  script.welcome(0, { followed: [{ logId: 8, epoch: 2, sequence: 1 }] });
  const older = script.replica.write([set("older")]);
  await script.settle();
  await older;
  const nowMs = script.clock.nowMs();
  script.say({ type: "acknowledge", nowMs, outboxThrough: 1, committedThrough: 1 });
  const own = { incarnation: script.disk.incarnation, position: 1 };
  script.feed({ after: 0, through: 1, committedThrough: 1, ...own }, []);
  script.clock.advance(500);
  await script.settle();
  const newer = script.replica.write([set("newer")]);
  await script.settle();
  await newer;
  script.frames.splice(0);
  script.reconnect();
  meanwhile(script);
  const there = { logId: 8, epoch: 2, epochs: [[2, 0]] as [number, number][] };
  script.welcome(1, { ...there, resumeAfter: 1, homeThrough: 0, features });
  await script.settle();
  return script;
}

it("a node says so of what it sends before what the log lacks", async () => {
  const script = await moved([INCOMPLETE_OUTBOX]);
  expect(script.frames.map(({ position, incomplete }) => [position, incomplete])).toEqual([
    [2, true],
    [3, false],
  ]);
  expect(script.frames[1]?.entries.map(({ key }) => key)).toEqual(["older"]);
});

it("a node says nothing of it to a directory that would not understand", async () => {
  const script = await moved([]);
  expect(script.frames.every(({ incomplete }) => !incomplete)).toBe(true);
});

it("a node that restarts says so of all but the last of what it had to send", async () => {
  const before = await moved([INCOMPLETE_OUTBOX]);
  expect(before.store.outboxThrough).toBe(3);
  const script = new ScriptedDirectory(1, before.disk);
  script.welcome(1, { logId: 8, epoch: 2, epochs: [[2, 0]], resumeAfter: 1, homeThrough: 1 });
  await script.settle();
  const told = script.frames.map(({ position, incomplete }) => [position, incomplete]);
  expect(told.at(-1)).toEqual([3, false]);
  expect(told.slice(0, -1).every(([, incomplete]) => incomplete)).toBe(true);
  expect(told.length).toBeGreaterThan(1);
});

it("what is sent again does not undo a write of the same key that is on its way", async () => {
  const script = await moved([INCOMPLETE_OUTBOX], ({ replica }) => {
    void replica.write([set("older", "written meanwhile")]);
  });
  expect(textOf(script.store.get("older"))).toBe("written meanwhile");
  const sent = script.frames.flatMap(({ entries }) => entries).filter(({ key }) => key === "older");
  expect(sent.map((entry) => textOf(entry))).toEqual(["written meanwhile"]);
  // The log has all that it lacked with that frame.
  expect(script.frames.at(-1)?.incomplete).toBe(false);
});
