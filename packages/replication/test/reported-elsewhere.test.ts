/**
 * What users of other multi-master caches have reported, played through here. The numbers are those of KeyDB's issues.
 */
import type { ReplicaDisk } from "@meridian/testkit";
import { expect, it } from "vitest";

import { ClusterRig, set, textOf, type NodeRig } from "./node-rig.ts";

async function put(rig: ClusterRig, node: NodeRig, key: string, value: string): Promise<void> {
  const written = node.replica.write([set(key, value)]);
  await rig.settle();
  await written;
  rig.clock.advance(10);
}

async function remove(rig: ClusterRig, node: NodeRig, key: string): Promise<void> {
  const written = node.replica.write([set(key, "", { deleted: true })]);
  await rig.settle();
  await written;
  rig.clock.advance(10);
}

async function stop(rig: ClusterRig, node: NodeRig): Promise<ReplicaDisk> {
  const stopped = node.replica.stop();
  await rig.pass(2_500);
  await stopped;
  await rig.settle();
  return node.disk;
}

function valueOf(node: NodeRig, key: string): string | undefined {
  const entry = node.replica.get(key);
  return entry?.deleted === false ? textOf(entry) : undefined;
}

it("after a split the last write wins everywhere, whichever side it was made on (#366)", async () => {
  const rig = new ClusterRig();
  const [a, b] = [rig.node("a"), rig.node("b")];
  await rig.settle();
  await rig.cut();
  await put(rig, a, "b", "b2");
  await put(rig, b, "b", "b1");
  await put(rig, a, "b", "b3");
  // The same two keys on both sides, in either order.
  await put(rig, a, "ab", "a");
  await put(rig, b, "ba", "b");
  await put(rig, b, "ab", "b");
  await put(rig, a, "ba", "a");
  rig.isReachable = true;
  await rig.pass(6_000);
  for (const node of [a, b]) {
    expect(["b", "ab", "ba"].map((key) => valueOf(node, key))).toEqual(["b3", "b", "a"]);
  }
});

it("what is deleted while a node is stopped stays deleted when it starts again (#442)", async () => {
  const rig = new ClusterRig();
  const [first, other] = [rig.node("a"), rig.node("b")];
  await rig.settle();
  const keys = ["key-1", "key-2", "key-3"];
  for (const key of keys) await put(rig, other, key, "v");
  await remove(rig, first, "key-1");
  const disk = await stop(rig, first);
  await remove(rig, other, "key-2");
  await remove(rig, other, "key-3");
  const again = rig.node("a", { disk });
  await rig.pass(6_000);
  for (const node of [again, other]) {
    expect(keys.map((key) => valueOf(node, key))).toEqual([undefined, undefined, undefined]);
  }
});

it("a delete that is on a node's disk survives its being killed and started, beside one that was cut off (#390)", async () => {
  const rig = new ClusterRig();
  const [other, first] = [rig.node("a"), rig.node("b")];
  await rig.settle();
  await put(rig, other, "foo", "bar");
  await remove(rig, other, "foo");
  expect(first.disk.entries.get("foo")?.deleted).toBe(true);
  // It dies without a word, and with it every link.
  await rig.cut();
  first.store.crash();
  rig.isReachable = true;
  const again = rig.node("b", { disk: first.disk });
  await rig.pass(6_000);
  expect([other, again].map((node) => valueOf(node, "foo"))).toEqual([undefined, undefined]);
});

it("a key that only the node that was away still has does not come back through it (#83)", async () => {
  const rig = new ClusterRig();
  const [a, b, c] = [rig.node("a"), rig.node("b"), rig.node("c")];
  await rig.settle();
  for (const [index, node] of [a, b, c].entries()) await put(rig, node, "counter", `${index}`);
  const disk = await stop(rig, c);
  expect(disk.entries.get("counter")?.deleted).toBe(false);
  await remove(rig, a, "counter");
  const again = rig.node("c", { disk });
  await rig.pass(6_000);
  expect([a, b, again].map((node) => valueOf(node, "counter"))).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
});

it("a node that comes back among five others gets what it missed once, and nobody else gets anything (#844)", async () => {
  const rig = new ClusterRig();
  const nodes = ["a", "b", "c", "d", "e", "f"].map((id) => rig.node(id));
  await rig.settle();
  const [writer, away] = [nodes[0], nodes[5]];
  if (writer === undefined || away === undefined) throw new Error("Expected six nodes");
  const keys = Array.from({ length: 300 }, (_, index) => `key-${index}`);
  const changeAll = async (value: string): Promise<void> => {
    const written = keys.map((key) => writer.replica.write([set(key, value)]));
    await rig.settle();
    await Promise.all(written);
  };
  await changeAll("old");
  await rig.pass(1_000);
  const disk = await stop(rig, away);
  await changeAll("new");
  const others = nodes.slice(0, 5);
  const received = (): number[] =>
    others.map(({ records }) => records.filter((kind) => kind === "remote").length);
  const [before, head] = [received(), rig.directory.directory.info().head];
  const again = rig.node("f", { disk });
  await rig.pass(10_000);
  expect(valueOf(again, "key-299")).toBe("new");
  expect(again.changes).toHaveLength(keys.length);
  expect(received()).toEqual(before);
  expect(rig.directory.directory.info()).toMatchObject({ head, reconcileWaiting: 0 });
  expect(rig.directory.directory.members.map(({ outboxPending }) => outboxPending)).toEqual(
    nodes.map(() => 0),
  );
});

it("nodes that compare with a new directory fill it once, and then rest (#844)", async () => {
  const rig = new ClusterRig();
  const a = rig.node("a");
  await rig.settle();
  const keys = Array.from({ length: 300 }, (_, index) => `key-${index}`);
  const written = keys.map((key) => a.replica.write([set(key)]));
  await rig.settle();
  await Promise.all(written);
  const disk = await stop(rig, a);
  const fresh = new ClusterRig();
  const copies = ["a", "b", "c"].map((id, index) =>
    fresh.node(id, {
      disk: {
        ...disk,
        entries: new Map(disk.entries),
        outbox: [],
        incarnation: 10 + index,
        cursor: { logId: 99, epoch: 1, sequence: 300 },
      },
    }),
  );
  await fresh.pass(3_000);
  expect(copies.map(({ replica }) => replica.status)).toEqual(["ready", "ready", "ready"]);
  const { head } = fresh.directory.directory.info();
  // The first fills the log; the others find that they have the same. Each says by one entry that nothing is missing of its outbox.
  expect(head).toBe(keys.length + copies.length);
  await fresh.pass(10_000);
  expect(fresh.directory.directory.info().head).toBe(head);
});
