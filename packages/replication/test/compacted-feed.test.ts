/** Of each key, a compacted log has only the newest entry: a reader within it may lack what the log has before its place. */
import { stampTimeOf, type Entry } from "@meridian/protocol";
import { expect, it } from "vitest";

import { DirectoryRig } from "./rig.ts";
import { ScriptedDirectory } from "./scripted-directory.ts";

function entryOf(script: ScriptedDirectory, key: string, text: string): Entry {
  const stamp = { time: stampTimeOf(script.clock.nowMs()), origin: 5 };
  const value = new TextEncoder().encode(text);
  return { key, value, contentType: "text/plain", stamp, expiresAtMs: 0, deleted: false };
}

const positionAt = (sequence: number) => ({
  logId: 7,
  epoch: 1,
  sequence,
  incarnation: 0,
  outboxPosition: 0,
});

/** Sequence 2 has been replaced by sequence 9; the node has been fed through 5. */
async function halfway(): Promise<ScriptedDirectory> {
  const script = new ScriptedDirectory();
  script.welcome(9);
  const old = { after: 0, through: 5, committedThrough: 9, position: 9 };
  script.feed(old, [entryOf(script, "other", "v")]);
  await script.settle();
  return script;
}

it("a compacted run says how far the log had come when it was read", () => {
  const rig = new DirectoryRig({ recentBytesMax: 0 }, { framesMax: 1 });
  const sender = rig.join("a", 1);
  for (let position = 1; position <= 4; position += 1) {
    rig.submit(sender, 1, position, [rig.entry(position === 3 ? "other" : "k", position)]);
    rig.commit();
  }
  const { frames } = rig.join("b", 2);
  expect(
    frames.map(({ header: { after, through, count, incarnation, position } }) => [
      [after, through, count],
      [incarnation, position],
    ]),
  ).toEqual([
    [
      [0, 3, 1],
      [0, 4],
    ],
    [
      [3, 4, 1],
      [1, 4],
    ],
  ]);
});

it("a node within a compacted part has reached no position in it, and is not ready", async () => {
  const script = await halfway();
  expect(script.replica.info().applied).toBe(5);
  expect(script.replica.status).toBe("syncing");
  expect(await script.replica.reach(positionAt(0), 0)).toBe(true);
  const reached = script.replica.reach(positionAt(2), 10_000);
  const replacing = { after: 5, through: 9, committedThrough: 9, incarnation: 3, position: 1 };
  script.feed(replacing, [entryOf(script, "k", "newest")]);
  await script.settle();
  expect(await reached).toBe(true);
  expect(script.replica.status).toBe("ready");
});

it("a node within a compacted part counts for no write in it", async () => {
  const script = await halfway();
  script.clock.advance(500);
  const beat = script.texts.findLast(({ type }) => type === "heartbeat");
  expect(beat).toMatchObject({ appliedThrough: 0 });
});

it("a node that dies within a compacted part starts it again, and one whose link breaks does not", async () => {
  const script = await halfway();
  script.clock.advance(500);
  await script.settle();
  expect(script.disk.cursor?.sequence ?? 0).toBe(0);
  script.feed({ after: 5, through: 8, committedThrough: 9, incarnation: 3, position: 1 }, [
    entryOf(script, "more", "v"),
  ]);
  await script.settle();
  expect(script.disk.cursor?.sequence ?? 0).toBe(0);
  script.feed({ after: 8, through: 9, committedThrough: 9, incarnation: 3, position: 2 }, [
    entryOf(script, "k", "newest"),
  ]);
  await script.settle();
  expect(script.disk.cursor?.sequence).toBe(9);
});
