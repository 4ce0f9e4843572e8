import { emptyLogDisk, ManualClock, type LogDisk } from "@meridian/testkit";
import { describe, expect, it } from "vitest";

import { GroupRig } from "./group-rig.ts";
import { DirectoryRig } from "./rig.ts";

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
