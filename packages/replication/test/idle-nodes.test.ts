/** Nodes that say that all is well, and do not do what they were told to. */
import { heartbeatOf } from "@meridian/testkit";
import { expect, it } from "vitest";

import { DIRECTORY_LIMITS } from "../src/limits.ts";
import { DirectoryRig, type TestLink } from "./rig.ts";

const ELSEWHERE = { logId: 99, epoch: 1, sequence: 5 };

/** Time passes, while nodes give signs of life. */
function pass(
  rig: DirectoryRig,
  ms: number,
  beats: readonly (readonly [TestLink, number])[],
): void {
  for (let passed = 0; passed < ms; passed += 500) {
    rig.clock.advance(500);
    for (const [link, appliedThrough] of beats) rig.beat(link, appliedThrough);
  }
}

it("a ready node that applies nothing of what it is sent leaves `ready`, and is back once it does", () => {
  const { appliedRestMs } = DIRECTORY_LIMITS;
  const rig = new DirectoryRig();
  const [writer, reader, idle] = [
    rig.join("writer", 1),
    rig.join("reader", 2),
    rig.join("idle", 3),
  ];
  rig.submit(writer, 1, 1, [rig.entry("k")], { reportApplied: true });
  rig.commit();
  const waitedFor = (): string | undefined => writer.of("applied-by").at(-1)?.ready.join();
  const beats = (applied: number) => [
    [writer, 0] as const,
    [reader, 1] as const,
    [idle, applied] as const,
  ];
  pass(rig, appliedRestMs - 500, beats(0));
  expect(waitedFor()).toBe("reader,idle");
  // What it lacks counts from the heartbeat after it was sent.
  pass(rig, 1_500, beats(0));
  expect(waitedFor()).toBe("reader");
  // A node with nothing to apply is not idle.
  expect(idle.closed).toBeUndefined();
  rig.submit(writer, 1, 2, [rig.entry("l")], { reportApplied: true });
  rig.commit();
  rig.beat(reader, 2);
  expect(waitedFor()).toBe("reader");
  rig.beat(idle, 1);
  rig.beat(reader, 2);
  expect(waitedFor()).toBe("reader,idle");
});

it("a ready node that applies one entry after another of the hundreds that it is sent leaves `ready`", () => {
  const { appliedRestMs } = DIRECTORY_LIMITS;
  const rig = new DirectoryRig();
  const [writer, reader, slow] = [
    rig.join("writer", 1),
    rig.join("reader", 2),
    rig.join("slow", 3),
  ];
  const waitedFor = (): string | undefined => writer.of("applied-by").at(-1)?.ready.join();
  const write = (through: number): void => {
    for (let position = through - 49; position <= through; position += 1)
      rig.submit(writer, 1, position, [rig.entry(`k${position}`)], { reportApplied: true });
    rig.commit();
  };
  for (let beat = 1; beat <= appliedRestMs / 500 + 3; beat += 1) {
    write(beat * 50);
    rig.clock.advance(500);
    for (const [link, through] of [
      [writer, 0],
      [reader, beat * 50],
      [slow, beat],
    ] as const)
      rig.beat(link, through);
  }
  expect(waitedFor()).toBe("reader");
  rig.beat(slow, (appliedRestMs / 500 + 3) * 50);
  rig.beat(reader, (appliedRestMs / 500 + 3) * 50);
  expect(waitedFor()).toBe("reader,slow");
});

it("a node that is told to reconcile and does not ask within its time loses its link, unless its disk is full", () => {
  const { turnRestMs } = DIRECTORY_LIMITS;
  const rig = new DirectoryRig();
  const [idle, full, asking] = [3, 4, 5].map((incarnation) =>
    rig.join(`node-${incarnation}`, incarnation, {
      cursor: ELSEWHERE,
      status: incarnation === 4 ? "full" : "syncing",
    }),
  );
  if (idle === undefined || full === undefined || asking === undefined) throw new Error("No nodes");
  const beat = (link: TestLink, status: "full" | "syncing"): void =>
    link.say(heartbeatOf({ nowMs: rig.clock.nowMs(), status }));
  asking.say({ type: "reconcile", nowMs: rig.clock.nowMs() });
  let keptMs = 0;
  for (let passed = 0; passed < turnRestMs + 1_000; passed += 500) {
    rig.clock.advance(500);
    beat(idle, "syncing");
    beat(full, "full");
    beat(asking, "syncing");
    if (idle.closed === undefined) keptMs = passed;
  }
  expect(keptMs).toBeGreaterThanOrEqual(turnRestMs - 1_000);
  expect(idle.closed).toMatchObject({ code: 4410 });
  // The one waits for its turn, which has not come before what is durable can be read; the other for room.
  expect([full.closed, asking.closed]).toEqual([undefined, undefined]);
});
