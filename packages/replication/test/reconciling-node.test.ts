/** A node that reconciles has a part of what the log has, whatever it is sent meanwhile. */
import { FRAME_KIND, stampTimeOf, type Entry, type NodeMessage } from "@meridian/protocol";
import { expect, it } from "vitest";

import { ScriptedDirectory } from "./scripted-directory.ts";

function entryOf(script: ScriptedDirectory, key: string): Entry {
  const stamp = { time: stampTimeOf(script.clock.nowMs()), origin: 5 };
  const value = new TextEncoder().encode("v");
  return { key, value, contentType: "text/plain", stamp, expiresAtMs: 0, deleted: false };
}

function last<Type extends NodeMessage["type"]>(
  script: ScriptedDirectory,
  type: Type,
): Extract<NodeMessage, { type: Type }> {
  const isOfType = (message: NodeMessage): message is Extract<NodeMessage, { type: Type }> =>
    message.type === type;
  const message = script.texts.findLast(isOfType);
  if (message === undefined) throw new Error(`Expected the node to have said \`${type}\``);
  return message;
}

/** A log that has come to 5 and an empty node compare what they have; how the log's one entry is donated. */
async function comparing(): Promise<{ script: ScriptedDirectory; donate: () => void }> {
  const script = new ScriptedDirectory();
  const nowMs = script.clock.nowMs();
  script.welcome(5, { resume: "reconcile" });
  script.say({ type: "reconcile-begin", nowMs, head: 5, horizon: 0 });
  await script.settle();
  script.say({ type: "compared", nowMs, id: last(script, "compare").id, differing: [0] });
  const { id } = last(script, "offer");
  const donate = (): void => {
    script.feed({ kind: FRAME_KIND.donation, position: id }, [entryOf(script, "k")]);
    script.say({ type: "wanted", nowMs, id, donated: 1, keys: [] });
  };
  return { script, donate };
}

/** What the node with incarnation 9 has written through `outboxPosition`. */
function writesThrough(outboxPosition: number) {
  return { logId: 0, epoch: 0, sequence: 0, incarnation: 9, outboxPosition };
}

it("a node that reconciles has reached no write of others, wherever the log has it", async () => {
  const { script, donate } = await comparing();
  const nowMs = script.clock.nowMs();
  const reached = script.replica.reach(writesThrough(2), 100);
  script.say({ type: "located", nowMs, incarnation: 9, position: 2, sequence: 5 });
  const next = { after: 5, through: 6, committedThrough: 6, incarnation: 9, position: 3 };
  script.feed(next, [entryOf(script, "l")]);
  await script.settle();
  script.clock.advance(200);
  expect(await reached).toBe(false);
  donate();
  await script.settle();
  expect(await script.replica.reach(writesThrough(3), 0)).toBe(true);
});

it("a node that has reconciled counts for what it was donated only once that is durable", async () => {
  const { script, donate } = await comparing();
  donate();
  expect(last(script, "reconciled")).toBeDefined();
  script.clock.advance(500);
  expect(last(script, "heartbeat")).toMatchObject({ appliedThrough: 0 });
  await script.settle();
  script.clock.advance(500);
  expect(last(script, "heartbeat")).toMatchObject({ appliedThrough: 5 });
});

it("a node says what it has applied of the log only once it has what the log had on its arrival", async () => {
  const { script, donate } = await comparing();
  const next = (after: number): void =>
    script.feed(
      { after, through: after + 1, committedThrough: 8, reportApplied: true, incarnation: 9 },
      [entryOf(script, `k${after}`)],
    );
  next(5);
  donate();
  await script.settle();
  next(6);
  await script.settle();
  expect(script.texts.filter(({ type }) => type === "applied")).toEqual([]);
  next(7);
  await script.settle();
  expect(last(script, "applied").through).toBe(8);
});

it("a node that has reconciled has reached no place before it has what the log had by then: what it offered may have been buried there", async () => {
  const { script, donate } = await comparing();
  const place = { logId: 7, epoch: 1, sequence: 5, incarnation: 0, outboxPosition: 0 };
  const next = (after: number): void =>
    script.feed({ after, through: after + 1, committedThrough: 7, incarnation: 9, position: 1 }, [
      entryOf(script, `k${after}`),
    ]);
  next(5);
  donate();
  await script.settle();
  const reached = (): boolean[] =>
    [place, writesThrough(1)].map((each) => script.replica.hasReached(each));
  expect(reached()).toEqual([false, false]);
  next(6);
  await script.settle();
  expect(reached()).toEqual([true, true]);
});
