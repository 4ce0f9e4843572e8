/** A directory that serves nodes beside the one that writes the log, without sockets and streams. */
import { capabilities, encodeMessage, type LogFrame } from "@meridian/protocol";
import { DIRECTORY_LIMITS } from "@meridian/replication";
import { heartbeatOf } from "@meridian/testkit";
import { describe, expect, it } from "vitest";

import { ServingRig } from "./serving-rig.ts";

describe("a node that writes by conditions", () => {
  it("proposes to the writer beside which its directory serves, and is told what that has decided behind the frame", () => {
    const rig = new ServingRig();
    const here = rig.join("here", 1);
    rig.propose(here, 1);
    rig.stream();
    expect(here.frames.map(({ header }) => [header.through, header.incarnation])).toEqual([[1, 0]]);
    expect(here.of("decided")).toMatchObject([{ id: 1, code: null, sequence: 1 }]);
    rig.beat(here);
    rig.uplink.lose();
    rig.propose(here, 2);
    expect(here.of("decided").at(-1)).toMatchObject({ id: 2, code: "CONDITIONS_UNAVAILABLE" });
  });

  it("may have the frame from the stream, and say so, before the writer hears that it is durable", () => {
    const rig = new ServingRig();
    const here = rig.join("here", 1);
    rig.propose(here, 1);
    here.say(heartbeatOf({ nowMs: rig.clock.nowMs(), appliedThrough: 1 }));
    expect(here.closed).toBeUndefined();
    const cursor = { logId: 7, epoch: 1, sequence: 0 };
    const back = rig.join("back", 2, { cursor, home: { ...cursor, sequence: 1 } });
    expect(back.of("welcome")[0]).toMatchObject({ resume: "feed", homeThrough: 1 });
    here.say(heartbeatOf({ nowMs: rig.clock.nowMs(), appliedThrough: 2 }));
    expect(here.closed).toMatchObject({ code: 4400, reason: expect.stringContaining("at most 1") });
  });
});

describe("a node at a directory that serves beside the writer", () => {
  it("is greeted and acknowledged by the writer, and fed from the stream", () => {
    const rig = new ServingRig();
    const here = rig.join("here", 1);
    const there = rig.writer.join("there", 2);
    expect(here.of("welcome")[0]).toMatchObject({ logId: 7, epoch: 1, resume: "feed" });
    rig.submit(here, 1, 1, "a");
    rig.submit(there, 2, 1, "b");
    // Of its own frame it is told once that is committed.
    expect(there.frames).toHaveLength(1);
    expect([here.frames.length, here.of("acknowledge").length]).toEqual([0, 0]);
    rig.stream();
    expect(here.of("acknowledge").at(-1)).toMatchObject({ outboxThrough: 1 });
    const headers = here.frames.map(({ header }) => header);
    expect(headers).toMatchObject([
      { after: 0, through: 1, incarnation: 1, position: 1, count: 0 },
      { after: 1, through: 2, incarnation: 2, position: 1, count: 1 },
    ]);
    expect(rig.writer.directory.members.map(({ id }) => id)).toEqual(["here", "there"]);
  });

  it("hears what the writer says once this directory has what the writer had committed", () => {
    const rig = new ServingRig();
    const here = rig.join("here", 1);
    rig.submit(here, 1, 1, "a");
    const [frame] = rig.commit();
    rig.beat(here);
    expect([here.of("acknowledge"), here.of("echo")]).toEqual([[], []]);
    if (frame !== undefined) rig.arrive(frame);
    expect(here.frames).toHaveLength(1);
    expect(here.of("acknowledge")).toMatchObject([{ outboxThrough: 1 }]);
    expect(here.of("echo")).toMatchObject([{ head: 1, echoMs: rig.clock.nowMs() }]);
  });

  it("gets a cursor only as far as the writer knows the log to be durable", () => {
    const rig = new ServingRig();
    const here = rig.join("here", 1);
    const there = rig.writer.join("there", 2);
    rig.submit(there, 2, 1, "a");
    rig.stream();
    rig.submit(there, 2, 2, "b");
    const frame = { ...rig.commit()[0] };
    rig.arrive(frame as LogFrame);
    expect(here.frames.map(({ header }) => header.committedThrough)).toEqual([0, 1]);
    rig.serving.onCommitted(2);
    rig.beat(here);
    expect(here.of("echo")[0]).toMatchObject({ head: 2, committedThrough: 2 });
  });

  it("goes on with its cursor at either directory, and nothing is compared", () => {
    const rig = new ServingRig();
    rig.submit(rig.writer.join("there", 2), 2, 1, "a");
    rig.stream();
    const cursor = { logId: 7, epoch: 1, sequence: 1 };
    const here = rig.join("here", 1, { cursor });
    expect(here.of("welcome")[0]).toMatchObject({ resume: "feed", resumeAfter: 1 });
    here.close(1000, "moves");
    expect(rig.writer.join("here", 1, { cursor }).of("welcome")[0]).toMatchObject({
      resume: "feed",
      resumeAfter: 1,
    });
  });
});

describe("a node at a directory that serves beside the writer, too,", () => {
  it("compares with the writer, and is fed from where that began", () => {
    const rig = new ServingRig();
    rig.submit(rig.writer.join("there", 2), 2, 1, "a");
    rig.stream();
    const here = rig.join("here", 1, { cursor: { logId: 9, epoch: 9, sequence: 4 } });
    expect(here.of("welcome")[0]).toMatchObject({ resume: "reconcile" });
    here.say({ type: "reconcile", nowMs: rig.clock.nowMs() });
    rig.clock.advance(1);
    rig.stream();
    expect(here.of("reconcile-begin")[0]).toMatchObject({ head: 1 });
    rig.submit(here, 1, 1, "b");
    rig.stream();
    expect(here.frames.map(({ header }) => header.after)).toEqual([1]);
  });

  it("is refused by the writer as it would be there", () => {
    const rig = new ServingRig();
    const here = rig.join("here", 1, { cluster: "another" });
    expect(here.closed).toMatchObject({ code: 4403, reason: expect.stringContaining("another") });
    const twin = new ServingRig();
    twin.writer.join("same", 1);
    expect(twin.join("same", 2).closed?.code).toBe(4409);
  });

  it("is refused here for what is no message, and a directory that follows for having the same log", () => {
    const rig = new ServingRig();
    const odd = rig.connect();
    odd.events?.onMessage("{");
    expect(odd.closed?.code).toBe(4400);
    const follower = rig.connect();
    const greeting = { cluster: "test", logId: 9, epoch: 9, head: 0, cursors: [], nowMs: 0 };
    follower.events?.onMessage(encodeMessage({ type: "follow", ...capabilities(), ...greeting }));
    expect(follower.closed?.code).toBe(4414);
  });

  it("has the writer wait while its own link is full", () => {
    const rig = new ServingRig();
    const here = rig.join("here", 1);
    expect(rig.uplink.paused.at(-1)).toBe(false);
    here.bufferedBytes = 5 * 1024 * 1024;
    rig.beat(here);
    expect(rig.uplink.paused.at(-1)).toBe(true);
    here.drain();
    expect(rig.uplink.paused.at(-1)).toBe(false);
  });
});

describe("a directory whose writer is gone", () => {
  it("answers its nodes with what the writer has said last, and lets them greet the next one", () => {
    const rig = new ServingRig();
    const here = rig.join("here", 1);
    rig.beat(here);
    const young = rig.join("young", 2);
    rig.uplink.lose();
    rig.serving.onUp(false);
    expect(young.closed).toMatchObject({ code: 1012 });
    rig.clock.advance(6_000);
    rig.beat(here);
    expect(here.of("echo").at(-1)).toMatchObject({ echoMs: rig.clock.nowMs(), holdBack: false });
    expect(here.closed).toBeUndefined();
    expect(rig.serving.notReady?.code).toBe("DIRECTORY_UNREACHABLE");
    expect(rig.join("new", 3).closed?.code).toBe(1001);
    rig.uplink.isUp = true;
    rig.serving.onUp(true);
    expect(here.closed).toMatchObject({ code: 1012 });
    expect(rig.join("here", 1).of("welcome")).toHaveLength(1);
  });

  it("sends its nodes elsewhere after 20 seconds", () => {
    const rig = new ServingRig();
    const here = rig.join("here", 1);
    rig.beat(here);
    rig.uplink.lose();
    rig.serving.onUp(false);
    rig.pass(here, 20);
    expect(here.closed).toBeUndefined();
    rig.pass(here, 1);
    expect(here.closed?.code).toBe(1001);
  });

  it("has its nodes connect again at once where it becomes the writer itself, and go elsewhere where it stops", () => {
    for (const [again, code] of [
      [true, 1012],
      [false, 1001],
    ] as const) {
      const rig = new ServingRig();
      const here = rig.join("here", 1);
      rig.serving.stop(again);
      expect(here.closed?.code).toBe(code);
      expect(rig.connect().closed?.code).toBe(1001);
    }
  });
});

describe("a directory that lags behind the stream", () => {
  it("is not ready after a second, and sends its nodes elsewhere after 20", () => {
    const rig = new ServingRig();
    const here = rig.join("here", 1);
    rig.submit(rig.writer.join("there", 2), 2, 1, "a");
    const [frame] = rig.commit();
    rig.serving.onCommitted(1);
    expect(rig.serving.notReady).toBeUndefined();
    rig.clock.advance(1_001);
    expect(rig.serving.notReady?.code).toBe("DIRECTORY_SYNCING");
    if (frame !== undefined) rig.arrive(frame);
    expect(rig.serving.notReady).toBeUndefined();
    rig.beat(here);
    rig.serving.onCommitted(2);
    rig.pass(here, 21);
    expect(here.closed?.code).toBe(1001);
  });
});

describe("the log of a directory beside the writer", () => {
  it("forgets what the writer may forget, and knows the time, by the newest mark in the stream", () => {
    const rig = new ServingRig();
    expect(rig.serving.clocks.confirmedNowMs).toBeUndefined();
    const there = rig.writer.join("there", 2);
    const entry = { ...rig.writer.entry("k"), value: new Uint8Array(0), deleted: true };
    rig.writer.submit(there, 2, 1, [entry]);
    rig.stream();
    const nowMs = rig.clock.nowMs();
    const { horizonMs } = DIRECTORY_LIMITS;
    const marks = [
      [nowMs - 2 * horizonMs, 1],
      [nowMs, 1],
    ] as const;
    rig.saveHorizon({ horizon: entry.stamp.time, frozenUntilMs: 0, marks: [...marks] });
    expect(rig.size).toBe(1);
    expect(rig.serving.clocks.confirmedNowMs).toBe(nowMs);
    rig.clock.advance(61_000);
    expect(rig.size).toBe(0);
  });
});

describe("the nodes of all directories", () => {
  it("are known as the writer tells them", () => {
    const rig = new ServingRig();
    rig.join("here", 1);
    rig.writer.join("there", 2);
    rig.serving.onRegistry(rig.writer.directory.registry);
    expect(rig.serving.members.map(({ id, peer }) => [id, peer])).toEqual([
      ["here", null],
      ["there", "another directory of the stream"],
    ]);
    expect(rig.serving.linked("here")?.status).toBe("ready");
    expect(rig.serving.linked("there")).toBeUndefined();
    expect(() => rig.serving.onRegistry("{}")).toThrow("Expected");
    expect(rig.serving.info()).toMatchObject({ epoch: 1, connections: 1, members: 2 });
    expect(rig.metrics.sumOf("meridian_nodes", { status: "ready" })).toBe(2);
    expect(rig.metrics.sumOf("meridian_writer_reached")).toBe(1);
    rig.serving.onCommitted(3);
    expect(rig.metrics.sumOf("meridian_stream_behind_entries")).toBe(3);
  });
});
