import { expect, it } from "vitest";

import { ClusterRig, set, textOf } from "./node-rig.ts";

function statusOf(rig: ClusterRig, id: string): string | undefined {
  return rig.directory.directory.members.find((member) => member.id === id)?.status;
}

it("the directory hears at once of a node that drains, and not at its next heartbeat", async () => {
  const rig = new ClusterRig();
  const a = rig.node("a");
  await rig.settle();
  expect(statusOf(rig, "a")).toBe("ready");
  a.replica.drain();
  // Messages travel; no time passes.
  await rig.settle();
  expect([a.replica.status, statusOf(rig, "a")]).toEqual(["draining", "draining"]);
});

it("a node that drains goes on writing, acknowledging and following until it is stopped", async () => {
  const rig = new ClusterRig();
  const [a, b] = [rig.node("a"), rig.node("b")];
  await rig.settle();
  a.replica.drain();
  a.replica.drain();
  const written = a.replica.write([set("mine")], { reportApplied: true });
  await rig.settle();
  const known = a.replica.acknowledgement(await written, "all", 5_000);
  await rig.pass(600);
  expect(await known).toMatchObject({ reached: true, directory: true });
  expect(textOf(b.replica.get("mine"))).toBe("v");
  const theirs = b.replica.write([set("theirs")]);
  await rig.settle();
  await theirs;
  expect(textOf(a.replica.get("theirs"))).toBe("v");
  const stopped = a.replica.stop();
  await rig.pass(100);
  await stopped;
  await expect(a.replica.write([set("late")])).rejects.toMatchObject({ code: "NODE_DRAINING" });
  expect(statusOf(rig, "a")).toBeUndefined();
});

it("a node that drains while it is cut off is registered as draining when it is back", async () => {
  const rig = new ClusterRig();
  const a = rig.node("a");
  await rig.settle();
  await rig.cut();
  a.replica.drain();
  rig.isReachable = true;
  await rig.pass(6_000);
  expect(statusOf(rig, "a")).toBe("draining");
});

it("a node that was stopped stays so, however often it is told", async () => {
  const rig = new ClusterRig();
  const a = rig.node("a");
  await rig.settle();
  const stopped = a.replica.stop();
  await rig.settle();
  await stopped;
  await a.replica.stop();
  a.replica.drain();
  await rig.pass(1_000);
  expect([a.replica.status, statusOf(rig, "a")]).toEqual(["draining", undefined]);
});
