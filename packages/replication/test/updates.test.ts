import { MeridianError } from "@meridian/protocol";
import type { UpdateRequest } from "@meridian/replication";
import { expect, it } from "vitest";

import { ClusterRig, codeOf, set, textOf } from "./node-rig.ts";

/** Counts a key up. */
function increment(key: string): UpdateRequest {
  return {
    key,
    update: (current) => {
      const text = String(Number(current === undefined ? 0 : textOf(current)) + 1);
      const value = new TextEncoder().encode(text);
      return { value, contentType: "text/plain", ttlMs: 0, deleted: false };
    },
  };
}

function refuse(): never {
  throw new MeridianError("PRECONDITION_FAILED", "Expected something else");
}

it("an update computes from what the writes before it have left, those of its own batch included", async () => {
  const rig = new ClusterRig();
  const [a, b] = [rig.node("a"), rig.node("b")];
  await rig.settle();
  const writes = [
    a.replica.write([set("n", "40")]),
    a.replica.write([increment("n"), increment("n")]),
    a.replica.write([set("n", "", { deleted: true }), set("n", "7"), increment("n")]),
  ];
  await rig.settle();
  const receipts = await Promise.all(writes);
  const values = receipts.map(({ entries }) => entries.map((entry) => textOf(entry)));
  expect(values).toEqual([["40"], ["41", "42"], ["", "7", "8"]]);
  expect([a, b].map(({ replica }) => textOf(replica.get("n")))).toEqual(["8", "8"]);
});

it("an update may leave its key as it is, keep its end, or refuse its whole batch", async () => {
  const rig = new ClusterRig();
  const a = rig.node("a");
  await rig.settle();
  void a.replica.write([set("k", "v", { ttlMs: 60_000 })]);
  await rig.settle();
  const before = a.replica.get("k");
  if (before === undefined) throw new Error("Expected an entry");
  const nothing = a.replica.write([{ key: "k", update: () => undefined }]);
  await rig.settle();
  expect(await nothing).toEqual({ entries: [], outboxPosition: 0 });
  const [kept, refused] = [
    a.replica.write([{ key: "k", update: (entry) => entry && { ...entry, ttlMs: 0 } }]),
    a.replica.write([set("l"), { key: "k", update: refuse }]).catch(codeOf),
  ];
  await rig.settle();
  const [entry] = (await kept).entries;
  expect(entry).toMatchObject({ key: "k", expiresAtMs: before.expiresAtMs });
  expect(entry?.stamp).not.toEqual(before.stamp);
  expect(await refused).toBe("PRECONDITION_FAILED");
  expect(a.replica.get("l")).toBeUndefined();
});

it("what was decided by a write that the disk then refuses fails with it", async () => {
  const rig = new ClusterRig();
  const a = rig.node("a");
  await rig.settle();
  a.store.full = true;
  const outcomes = [
    a.replica.write([set("k", "1")]),
    a.replica.write([{ key: "k", update: () => undefined }]),
    a.replica.write([{ key: "k", update: refuse }]),
  ].map((written) => written.catch(codeOf));
  await rig.settle();
  expect(await Promise.all(outcomes)).toEqual(["STORE_FULL", "STORE_FULL", "STORE_FULL"]);
});
