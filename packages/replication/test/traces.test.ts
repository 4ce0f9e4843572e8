/** Traces of writes on their way: out of the outbox, through directories, to whoever takes traces. */
import {
  assembleFrame,
  capabilities,
  encodeBlock,
  encodeTraces,
  FRAME_KIND,
  INCOMPLETE_OUTBOX,
  MEMBERS_CHANGED,
  tracesOf,
  TRACES,
  type TraceContext,
} from "@meridian/protocol";
import type { TracedFrame } from "@meridian/replication";
import { expect, it } from "vitest";

import { GroupRig } from "./group-rig.ts";
import { ClusterRig, set } from "./node-rig.ts";
import { DirectoryRig, type TestLink } from "./rig.ts";
import { ScriptedDirectory } from "./scripted-directory.ts";

/** What a party of before had. */
const OLD = { ...capabilities(), features: [MEMBERS_CHANGED, INCOMPLETE_OUTBOX] };

function trace(digit: string): TraceContext {
  return { traceId: digit.repeat(32), parentId: digit.repeat(16), sampled: true, state: "a=1" };
}

/** Sends a traced frame of a node's outbox. */
function submit(rig: DirectoryRig, link: TestLink, traces: readonly TraceContext[]): void {
  const entry = rig.entry("k");
  const header = {
    kind: FRAME_KIND.entries,
    reportApplied: false,
    incomplete: false,
    count: 1,
    after: 0,
    through: 0,
    committedThrough: 0,
    highestTime: entry.stamp.time,
    sentAtMs: rig.clock.nowMs(),
    incarnation: 1,
    position: 1,
  };
  link.events?.onMessage(assembleFrame(header, encodeBlock([entry]), encodeTraces(traces)));
}

it("a directory passes traces on to who takes them, and to nobody else, and keeps none", () => {
  const rig = new DirectoryRig();
  const [sender, other] = [rig.join("a", 1), rig.join("b", 2)];
  const old = rig.join("c", 3, OLD);
  submit(rig, sender, [trace("a"), trace("b")]);
  rig.commit();
  const told = (link: TestLink): unknown[] => link.frames.map(({ bytes }) => tracesOf(bytes));
  expect(told(other)).toEqual([[trace("a"), trace("b")]]);
  expect(told(old)).toEqual([[]]);
  expect(told(sender)).toEqual([[]]);
  // The same entries, and not a byte more than there was before traces.
  const [traced, plain] = [other.frames[0], old.frames[0]];
  expect(plain?.header).toEqual(traced?.header);
  const extension = encodeTraces([trace("a"), trace("b")]).byteLength;
  expect(plain?.bytes.byteLength).toBe((traced?.bytes.byteLength ?? 0) - extension);
  const fromLog = rig.log.read(0, 1_000).map(({ block }) => block.byteLength);
  expect(fromLog).toEqual([(plain?.bytes.byteLength ?? 0) - 64]);
});

it("a directory that follows another gets traces if it takes them", () => {
  const rig = new DirectoryRig();
  const sender = rig.join("a", 1);
  const follow = (logId: number, { versions, features }: typeof OLD): TestLink => {
    const link = rig.connect();
    const place = { logId, epoch: logId, head: 0, cursors: [], nowMs: rig.clock.nowMs() };
    link.say({ type: "follow", versions, features, cluster: "test", ...place });
    return link;
  };
  const links = [follow(98, capabilities()), follow(99, OLD)];
  submit(rig, sender, [trace("a")]);
  rig.commit();
  expect(links.map(({ frames }) => frames.map(({ bytes }) => tracesOf(bytes)))).toEqual([
    [[trace("a")]],
    [[]],
  ]);
});

it("traces go from a node of one directory to a node of another", async () => {
  const rig = await GroupRig.start(2);
  rig.cut("b", "d0");
  const told: TracedFrame[] = [];
  const a = rig.node("a");
  rig.node("b", undefined, { onTraced: (frame) => told.push(frame) });
  await rig.pass(5_000);
  const written = a.write([set("k")], { reportApplied: false, trace: trace("a") });
  await rig.pass(1_000);
  await written;
  expect(told).toMatchObject([{ traces: [trace("a")], entries: 1 }]);
});

/** A node with that trace's write in its outbox, sent or not. */
async function wrote(features: string[]): Promise<ScriptedDirectory> {
  const script = new ScriptedDirectory();
  script.welcome(0, { features });
  const written = script.replica.write([set("k")], { reportApplied: false, trace: trace("a") });
  await script.settle();
  await written;
  return script;
}

it("a node sends its traces to a directory that takes them, on each link until the frame is committed", async () => {
  const script = await wrote([TRACES]);
  expect(script.frames.map(({ traces }) => traces)).toEqual([[trace("a")]]);
  script.reconnect();
  script.welcome(0, { features: [] });
  await script.settle();
  script.reconnect();
  script.welcome(0, { features: [TRACES] });
  await script.settle();
  expect(script.frames.map(({ traces }) => traces)).toEqual([[trace("a")], [], [trace("a")]]);
});

it("a node that restarts, or sends what is not traced, sends no traces", async () => {
  const script = await wrote([]);
  const restarted = new ScriptedDirectory(1, script.disk);
  restarted.welcome(0, { features: [TRACES] });
  await restarted.settle();
  const written = restarted.replica.write([set("l")]);
  await restarted.settle();
  await written;
  expect(restarted.frames.map(({ position, traces }) => [position, traces])).toEqual([
    [1, []],
    [2, []],
  ]);
});

it("what a node has taken in of a traced write it tells once it is durable", async () => {
  const rig = new ClusterRig();
  const told: TracedFrame[] = [];
  const [a, b] = [rig.node("a"), rig.node("b", { onTraced: (frame) => told.push(frame) })];
  await rig.settle();
  const plain = a.replica.write([set("plain")]);
  await rig.settle();
  await plain;
  const writes = ["a", "b"].map((digit) =>
    a.replica.write([set(digit), set(`${digit}2`)], {
      reportApplied: false,
      trace: trace(digit),
    }),
  );
  await rig.settle();
  await Promise.all(writes);
  expect(b.store.get("b2")).toBeDefined();
  // Both writes of one turn went as one frame.
  expect(told).toMatchObject([{ traces: [trace("a"), trace("b")], entries: 4 }]);
  expect(told[0]?.tookMs).toBeGreaterThanOrEqual(0);
});
