import { emptyLogDisk, ManualClock, type LogDisk } from "@meridian/testkit";
import { describe, expect, it } from "vitest";

import { GroupRig } from "./group-rig.ts";
import { DirectoryRig, type TestLink } from "./rig.ts";

/** The ids of the nodes that a directory misses. */
function missed({ directory }: DirectoryRig): string[] {
  return directory.absent.map(({ id }) => id).toSorted();
}

function restarted(disk: LogDisk, epoch: number, clock: ManualClock): DirectoryRig {
  return new DirectoryRig({ membersMax: 3 }, { disk, epoch, clock });
}

describe("a directory remembers", () => {
  it("every node that was registered, and when it was last there, also after its own death", async () => {
    const clock = new ManualClock();
    const disk = emptyLogDisk(7);
    const first = restarted(disk, 1, clock);
    const berlin = first.join("berlin", 11);
    first.join("tokyo", 12);
    expect(missed(first)).toEqual([]);
    berlin.close(1000, "");
    const goneAtMs = clock.nowMs();
    clock.advance(500);
    expect(first.directory.absent).toMatchObject([
      { id: "berlin", region: "berlin", url: "http://10.0.0.9:7401", seenAtMs: goneAtMs },
    ]);
    first.log.crash();
    await Promise.resolve();
    const second = restarted(disk, 2, clock);
    expect(missed(second)).toEqual(["berlin", "tokyo"]);
    second.join("tokyo", 12);
    expect(missed(second)).toEqual(["berlin"]);
  });

  it("what an operator has it forget no more, and only what is gone is forgotten", async () => {
    const clock = new ManualClock();
    const disk = emptyLogDisk(7);
    const rig = restarted(disk, 1, clock);
    const forget = (id: string): Promise<void> =>
      new Promise((resolve, reject) => {
        rig.directory.forget(id, (failure) => (failure ? reject(failure) : resolve()));
      });
    const link = rig.join("berlin", 11);
    await expect(forget("berlin")).rejects.toMatchObject({ code: "NODE_PRESENT" });
    await expect(forget("lima")).rejects.toMatchObject({ code: "NODE_NOT_FOUND" });
    link.close(1000, "");
    await forget("berlin");
    await expect(forget("berlin")).rejects.toMatchObject({ code: "NODE_NOT_FOUND" });
    expect(missed(rig)).toEqual([]);
    expect(missed(restarted(disk, 2, clock))).toEqual([]);
    rig.join("berlin", 11).close(1000, "");
    expect(missed(rig)).toEqual(["berlin"]);
  });

  it("no more nodes than its bound: the forgotten go first, then the longest gone, never one that is there", async () => {
    const clock = new ManualClock();
    const rig = restarted(emptyLogDisk(7), 1, clock);
    rig.join("there", 10);
    for (const [index, id] of ["a", "b", "c", "d"].entries()) {
      clock.advance(10);
      rig.join(id, 20 + index).close(1000, "");
    }
    expect(missed(rig)).toEqual(["c", "d"]);
    await new Promise<void>((resolve) => {
      rig.directory.forget("d", () => resolve());
    });
    rig.join("e", 30).close(1000, "");
    expect(missed(rig)).toEqual(["c", "e"]);
    const gauge = rig.metrics.levels().find(({ name }) => name === "rememberedMembers");
    expect(gauge).toEqual({ name: "rememberedMembers", now: 3, max: 3 });
  });
});

/** Shorter than they are. */
const LIMITS = { establishMs: 1_000, newcomerMs: 5_000 };
const HOUR_MS = 3_600_000;

function started(disk: LogDisk, epoch: number, clock: ManualClock): DirectoryRig {
  return new DirectoryRig(LIMITS, { disk, epoch, clock });
}

/** Time goes on while these nodes say that they live. */
function pass(rig: DirectoryRig, ms: number, links: readonly TestLink[]): void {
  for (let passedMs = 0; passedMs < ms; passedMs += 500) {
    rig.clock.advance(500);
    for (const link of links) rig.beat(link);
    rig.commit();
  }
}

/** What the clocks say. */
function said({ directory }: DirectoryRig): { agreeing: number; members: number } {
  const { agreeing, members } = directory.clocks.info;
  return { agreeing, members };
}

describe("of which members a majority of the clocks is asked", () => {
  it("ids that somebody makes up do not count for good, however many greet", () => {
    const rig = started(emptyLogDisk(7), 1, new ManualClock());
    const berlin = rig.join("berlin", 11);
    pass(rig, 3_000, [berlin]);
    for (let id = 0; id < 20; id += 1) rig.join(`made-up-${id}`, 100 + id).close(1000, "");
    pass(rig, 1_000, [berlin]);
    expect(said(rig)).toEqual({ agreeing: 2, members: 22 });
    pass(rig, 5_000, [berlin]);
    expect(said(rig)).toEqual({ agreeing: 2, members: 2 });
  });

  it("a machine that greets with another id after each start has one vote, and none while it is gone", () => {
    const rig = started(emptyLogDisk(7), 1, new ManualClock());
    const berlin = rig.join("berlin", 11);
    pass(rig, 3_000, [berlin]);
    const wrongMs = rig.clock.nowMs() + HOUR_MS;
    for (let id = 0; id < 20; id += 1) {
      const link = rig.join(`start-${id}`, 100 + id, { nowMs: wrongMs });
      expect(rig.directory.clocks.info.agreeing).toBe(2);
      link.close(1000, "");
    }
    pass(rig, 500, [berlin]);
    expect(rig.directory.clocks.info.deviant).toEqual([]);
    expect(Math.abs(rig.directory.clocks.info.aheadMs)).toBeLessThan(1_000);
  });

  it("one that was there for a while counts until it is forgotten, also after a restart", () => {
    const clock = new ManualClock();
    const disk = emptyLogDisk(7);
    const first = started(disk, 1, clock);
    const berlin = first.join("berlin", 11);
    pass(first, 3_000, [berlin]);
    first.directory.stop();
    first.commit();
    const second = started(disk, 2, clock);
    pass(second, 20_000, []);
    expect(said(second)).toEqual({ agreeing: 1, members: 2 });
  });

  it("one that has just greeted counts although it is gone, for a while from the start of the directory on, whatever its clock does", () => {
    const clock = new ManualClock();
    const disk = emptyLogDisk(7);
    const first = started(disk, 1, clock);
    for (const [index, id] of ["a", "b", "c"].entries()) first.join(id, 11 + index);
    clock.advance(500);
    first.commit();
    first.log.crash();
    clock.jump(-HOUR_MS);
    const second = started(disk, 2, clock);
    pass(second, 4_000, []);
    clock.jump(100 * HOUR_MS);
    pass(second, 500, []);
    expect(said(second)).toEqual({ agreeing: 1, members: 4 });
    pass(second, 1_000, []);
    expect(said(second)).toEqual({ agreeing: 1, members: 1 });
  });
});

describe("several directories", () => {
  it("remember each other's nodes", async () => {
    const group = await GroupRig.start(2);
    group.node("berlin");
    await group.pass(2_000);
    const second = group.directory(1);
    expect(missed(second)).toEqual([]);
    await group.kill(0);
    group.cut("berlin", "d1");
    await group.pass(3_000);
    expect(missed(second)).toEqual(["berlin"]);
    group.heal("berlin", "d1");
    await group.pass(6_000);
    expect(missed(second)).toEqual([]);
  });
});
