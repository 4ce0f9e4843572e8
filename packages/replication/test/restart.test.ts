import {
  copyLogDisk,
  copyReplicaDisk,
  emptyLogDisk,
  type LogDisk,
  type ReplicaDisk,
} from "@meridian/testkit";
import { expect, it } from "vitest";

import { ClusterRig, set, textOf, type NodeRig } from "./node-rig.ts";

/** Everything at one moment, as a loss of power would leave it. */
function remains(log: LogDisk, nodes: readonly NodeRig[]): [LogDisk, ...ReplicaDisk[]] {
  return [copyLogDisk(log), ...nodes.map(({ disk }) => copyReplicaDisk(disk))];
}

/** A directory that has been started again on its disk. */
async function restarted(log: LogDisk): Promise<ClusterRig> {
  const rig = new ClusterRig({}, log);
  rig.isReachable = false;
  await rig.replaceDirectory(log);
  rig.isReachable = true;
  return rig;
}

async function written(): Promise<readonly [ClusterRig, LogDisk, readonly NodeRig[]]> {
  const log = emptyLogDisk(7);
  const rig = new ClusterRig({}, log);
  const nodes = [rig.node("a"), rig.node("b")];
  await rig.settle();
  for (let index = 0; index < 20; index += 1) {
    void nodes[index % 2]?.replica.write([set(`k${index}`)]);
    await rig.settle();
  }
  return [rig, log, nodes];
}

it("a restart of everything in good order compares nothing", async () => {
  const [rig, log, nodes] = await written();
  await rig.pass(1_000);
  const [logDisk, a, b] = remains(log, nodes);
  expect(b?.tail).toEqual([]);
  const again = await restarted(logDisk);
  const back = [again.node("a", { disk: a }), again.node("b", { disk: b })];
  await again.settle();
  expect(back.map(({ replica }) => replica.status)).toEqual(["ready", "ready"]);
  expect(again.reconciliations).toBe(0);
});

it("nor does one after everything has died at once: only what is beyond a cursor is sent again", async () => {
  const [, log, nodes] = await written();
  const [logDisk, a, b] = remains(log, nodes);
  expect(b?.tail.length).toBeGreaterThan(0);
  const again = await restarted(logDisk);
  const back = [again.node("a", { disk: a }), again.node("b", { disk: b })];
  await again.pass(1_000);
  expect(back.map(({ replica }) => replica.status)).toEqual(["ready", "ready"]);
  expect(again.reconciliations).toBe(0);
  expect(back[0]?.replica.get("k19")).toEqual(back[1]?.replica.get("k19"));
});

it("a node gives back what its directory had passed on and lost, also if both have died", async () => {
  const [rig, log, nodes] = await written();
  await rig.pass(1_000);
  const before = copyLogDisk(log);
  void nodes[0]?.replica.write([set("lost")]);
  await rig.settle();
  const [, , b] = remains(log, nodes);
  expect(b?.tail.map(({ keys }) => keys)).toEqual([["lost"]]);
  const again = await restarted(before);
  const back = again.node("b", { disk: b });
  await again.pass(1_000);
  expect(again.reconciliations).toBe(0);
  expect(textOf(again.directory.log.get("lost"))).toBe(textOf(back.replica.get("lost")));
  expect(again.directory.log.get("lost")).toBeDefined();
});

it("a node that does not know what it has beyond its cursor compares everything", async () => {
  const [rig, log, nodes] = await written();
  await rig.pass(1_000);
  const [logDisk, a] = remains(log, nodes);
  const foreign = { logId: 9, epoch: 9, sequence: 9 };
  const disk = a && { ...a, tail: [{ place: foreign, keys: ["k1"] }] };
  const again = await restarted(logDisk);
  again.node("a", { disk });
  await again.settle();
  expect(again.reconciliations).toBe(1);
});
