/** Whatever one node says, in whatever state its link is: it costs that link at most, and nobody else anything. */
import { stampTimeOf, type NodeMessage } from "@meridian/protocol";
import { heartbeatOf, membersOf, oddFrames, oddMessages } from "@meridian/testkit";
import { describe, expect, it } from "vitest";

import { DirectoryRig, type TestLink } from "./rig.ts";

const nowMs = 1_767_225_600_000;

/** A node in one state of its session. */
type State = "new" | "feeding" | "unfed" | "reconciling" | "following";
const STATES: readonly State[] = ["new", "feeding", "unfed", "reconciling", "following"];

function usualMessages(rig: DirectoryRig): readonly NodeMessage[] {
  const greeting = { versions: [1, 1] as [number, number], features: [], cluster: "test", nowMs };
  return [
    rig.hello("odd", 666),
    { type: "follow", ...greeting, logId: 99, epoch: 98, head: 0, cursors: [] },
    { type: "probe", ...greeting },
    heartbeatOf({ nowMs, lowestTime: stampTimeOf(nowMs) }),
    { type: "applied", nowMs, through: 1 },
    { type: "locate", nowMs, incarnation: 1, position: 1 },
    { type: "reconcile", nowMs, appliedThrough: 1 },
    {
      type: "compare",
      nowMs,
      id: 1,
      from: null,
      ranges: [{ to: null, count: 0, fingerprint: "0000000000000000" }],
    },
    { type: "offer", nowMs, id: 2, from: null, to: null, entries: [] },
    { type: "reconciled", nowMs },
    { type: "heat", nowMs, keys: [["k", 1]] },
    {
      type: "propose",
      nowMs,
      id: 1,
      key: "k",
      ifStamp: [1, 1],
      stamp: [stampTimeOf(nowMs), 5],
      value: "",
      contentType: "a/b",
      expiresAtMs: 0,
      deleted: false,
    },
    { type: "barrier", nowMs, id: 1 },
    { type: "goodbye", nowMs },
  ];
}

function connectIn(state: State, rig: DirectoryRig): TestLink {
  if (state === "new") return rig.connect();
  if (state === "following") {
    const link = rig.connect();
    const { versions, features } = rig.hello("x", 1);
    link.say({
      type: "follow",
      versions,
      features,
      cluster: "test",
      nowMs,
      logId: 99,
      epoch: 98,
      head: 0,
      cursors: [],
    });
    return link;
  }
  const elsewhere = { logId: 99, epoch: 1, sequence: 1 };
  const link = rig.join("odd", 666, state === "feeding" ? {} : { cursor: elsewhere });
  if (state === "reconciling") {
    link.say({ type: "reconcile", nowMs });
    rig.commit();
  }
  return link;
}

describe.each(STATES)("a node whose session is %s", (state) => {
  it("may say anything of any member, and no other node is the worse for it", () => {
    const rig = new DirectoryRig();
    const [writer, reader] = [rig.join("writer", 1), rig.join("reader", 2)];
    let position = 0;
    const failures: string[] = [];
    for (const odd of oddMessages(usualMessages(rig))) {
      const link = connectIn(state, rig);
      const { head, horizon } = rig.directory.info();
      link.events?.onMessage(odd.json);
      rig.commit();
      // What it must not say ends its link; what it may say changes nothing of the log.
      if (!odd.isRight && link.closed === undefined)
        failures.push(`${odd.json.slice(0, 200)} was taken`);
      const info = rig.directory.info();
      if (info.head !== head || info.horizon !== horizon)
        failures.push(`${odd.json.slice(0, 200)} moved the log`);
      link.close(1000, "");
      // The others go on: a write is taken, passed on, acknowledged and applied.
      position += 1;
      rig.submit(writer, 1, position, [rig.entry(`k${position}`)], { reportApplied: true });
      rig.commit();
      const through = rig.directory.info().head;
      reader.say({ type: "applied", nowMs: rig.clock.nowMs(), through });
      const taken = writer.of("acknowledge").at(-1)?.outboxThrough;
      const applied = writer.of("applied-by").at(-1);
      if (taken !== position || reader.frames.at(-1)?.header.through !== through)
        failures.push(`${odd.json.slice(0, 200)} kept a write up`);
      if (applied?.position !== position || applied.nodes.join() !== "reader")
        failures.push(`${odd.json.slice(0, 200)} kept an acknowledgement up`);
    }
    expect(failures).toEqual([]);
    expect([writer.closed, reader.closed, rig.fatal]).toEqual([undefined, undefined, undefined]);
    expect(rig.directory.members.map(({ id, status }) => [id, status])).toEqual([
      ["writer", "ready"],
      ["reader", "ready"],
    ]);
  });

  it("may send any frame, and no other node is the worse for it", () => {
    const rig = new DirectoryRig();
    const reader = rig.join("reader", 2);
    const { head } = rig.directory.info();
    for (const frame of oddFrames(rig.clock.nowMs() + 3_600_000)) {
      const link = connectIn(state, rig);
      link.events?.onMessage(frame);
      rig.commit();
      link.close(1000, "");
    }
    expect(rig.directory.info().head).toBe(head);
    expect([reader.closed, reader.frames, rig.fatal]).toEqual([undefined, [], undefined]);
  });
});

it.each(membersOf("node"))("%s: every member that it has is tried", (_type, members, tried) => {
  expect(tried).toEqual(members);
});
