/** A reconciliation that is cut off goes on where it was, unless what has been done of it may not hold any more. */
import { decodeNodeMessage, MeridianError } from "@meridian/protocol";
import {
  KeptComparisons,
  type KeptComparison,
} from "@meridian/replication/source/directory/kept-comparisons";
import { OpenRanges } from "@meridian/replication/source/reconcile/open-ranges";
import { emptyLogDisk, emptyReplicaDisk, type LogDisk } from "@meridian/testkit";
import { describe, expect, it } from "vitest";

import type { DirectoryLimits } from "../src/limits.ts";
import { ClusterRig, set, type NodeRig } from "./node-rig.ts";
import { entryOf, nameOf } from "./numbered-entries.ts";

const KEYS = 6_000;

interface Scene {
  readonly rig: ClusterRig;
  readonly log: LogDisk;
  readonly node: NodeRig;
  /** How many keys the node has named in comparisons. */
  readonly compared: () => number;
}

/** Of every thousand keys one is only in the log, one only at the node, and one newer in the log. */
function scene(limits: Partial<DirectoryLimits> = {}): Scene {
  const log = emptyLogDisk(7);
  const disk = emptyReplicaDisk(9);
  for (let index = 0; index < KEYS; index += 1) {
    const place = index % 1_000;
    const version = place === 3 ? 2 : 1;
    if (place !== 2) {
      log.entries.set(nameOf(index), { entry: entryOf(index, version), sequence: index + 1 });
    }
    if (place !== 1) disk.entries.set(nameOf(index), entryOf(index, 1));
  }
  log.committedThrough = KEYS;
  disk.cursor = { logId: 99, epoch: 9, sequence: 1 };
  const rig = new ClusterRig(limits, log);
  let compared = 0;
  rig.onText = (text) => {
    const message = decodeNodeMessage(text);
    if (message.type !== "compare") return;
    for (const { count } of message.ranges) compared += count;
  };
  return { rig, log, node: rig.node("a", { disk }), compared: () => compared };
}

/** Lets the comparison come to so many keys, and then cuts the node off. */
async function cutAt(keys: number, { rig, compared }: Scene): Promise<void> {
  for (let step = 0; compared() < keys && step < 10_000; step += 1) {
    rig.clock.advance(1);
    await rig.settle();
  }
  await rig.leave("a");
}

function expectEqual({ log, node }: Scene): void {
  expect(node.replica.info()).toMatchObject({ reconciling: false, outboxPending: 0, behind: 0 });
  const logged = new Map([...log.entries].map(([key, { entry }]) => [key, entry.stamp]));
  expect(new Map([...node.disk.entries].map(([key, { stamp }]) => [key, stamp]))).toEqual(logged);
}

it("goes on where it was, with what both sides have written meanwhile", async () => {
  const each = scene();
  const { rig, node } = each;
  const other = rig.node("b");
  await rig.pass(500);
  await cutAt(KEYS * 0.9, each);
  const before = each.compared();
  const written = node.replica.write([set(nameOf(10), "mine"), set(nameOf(KEYS - 10), "mine")]);
  const others = other.replica.write([set(nameOf(11), "theirs"), set("new", "theirs")]);
  await rig.pass(1_000);
  await Promise.all([written, others]);
  rig.comeBack("a");
  await rig.pass(10_000);
  expectEqual(each);
  expect(each.compared() - before).toBeLessThan(KEYS / 2);
});

it("loses nothing wherever it is cut, and however often", async () => {
  for (let share = 1; share <= 9; share += 4) {
    const each = scene();
    for (const at of [share / 10, (share + 1) / 10]) {
      await cutAt(KEYS * at, each);
      await each.rig.pass(500);
      each.rig.comeBack("a");
      await each.rig.pass(3_000);
    }
    await each.rig.pass(10_000);
    expectEqual(each);
  }
});

it("begins anew with another life of the directory", async () => {
  const each = scene();
  await cutAt(KEYS * 0.9, each);
  const before = each.compared();
  await each.rig.replaceDirectory(each.log);
  each.rig.comeBack("a");
  await each.rig.pass(10_000);
  expectEqual(each);
  expect(each.compared() - before).toBeGreaterThanOrEqual(KEYS - 10);
});

describe("what a directory remembers of a reconciliation", () => {
  const kept = (): KeptComparison => ({
    nodeId: "a",
    incarnation: 9,
    open: new OpenRanges(),
    under: 50,
    head: 100,
    sentThrough: 200,
  });
  const asked = {
    nodeId: "a",
    incarnation: 9,
    appliedThrough: 150,
    under: 50,
    purgedThrough: 150,
  };

  const rows: readonly (readonly [string, Partial<typeof asked>, boolean])[] = [
    ["holds for the node as it was", {}, true],
    ["holds under a higher horizon", { under: 51 }, true],
    ["is void under a lower horizon", { under: 49 }, false],
    ["is void for another node", { nodeId: "b" }, false],
    ["is void for another database", { incarnation: 8 }, false],
    ["is void for what the node was not fed", { appliedThrough: 99, purgedThrough: 0 }, false],
    ["is void for what the node was not sent", { appliedThrough: 201 }, false],
    ["is void where a deletion after it was forgotten", { purgedThrough: 151 }, false],
  ];
  it.each(rows)("%s", (_, change, holds) => {
    const comparisons = new KeptComparisons();
    comparisons.keep(kept());
    expect(comparisons.take({ ...asked, ...change }) !== undefined).toBe(holds);
    // It is given once.
    expect(comparisons.take({ ...asked, ...change })).toBeUndefined();
  });
});

it("a log that cannot be read where it goes on ends that link, and not the directory", async () => {
  const each = scene({ recentBytesMax: 1 });
  const { rig, node } = each;
  const other = rig.node("b");
  await rig.pass(500);
  await cutAt(KEYS * 0.9, each);
  const written = other.replica.write([set("new", "theirs")]);
  await rig.pass(1_000);
  await written;
  const { log } = rig.directory;
  const read = log.read.bind(log);
  let refused = 0;
  log.read = () => {
    refused += 1;
    throw new MeridianError("STORE_CORRUPT", "Expected a frame, got other bytes");
  };
  rig.comeBack("a");
  await rig.pass(2_000);
  expect(refused).toBeGreaterThan(0);
  log.read = read;
  await rig.pass(30_000);
  expect(node.replica.info()).toMatchObject({ connected: true, reconciling: false });
  expectEqual(each);
});
