/** A reconciliation of more keys than one page, one question or one link holds, which differ at both ends. */
import { emptyLogDisk, emptyReplicaDisk } from "@meridian/testkit";
import { expect, it } from "vitest";

import { ClusterRig } from "./node-rig.ts";
import { entryOf, nameOf } from "./numbered-entries.ts";
import { DirectoryRig, type TestLink } from "./rig.ts";

/** More than nine pages of 512 keys. */
const KEYS = 5_000;
const ENDS = 3;

it("finds what differs at either end of five thousand keys, in both directions", async () => {
  const log = emptyLogDisk(7);
  const disk = emptyReplicaDisk(9);
  for (let index = 0; index < KEYS; index += 1) {
    const fromStart = Math.min(index, KEYS - 1 - index);
    // Of the keys at either end, the first only the log has, the second only the node, and the third is newer in the log.
    const [first, second, third] = [0, 1, 2].map((place) => fromStart === place);
    const sequence = index + 1;
    if (!second) log.entries.set(nameOf(index), { entry: entryOf(index, third ? 2 : 1), sequence });
    if (!first) disk.entries.set(nameOf(index), entryOf(index, 1));
  }
  log.committedThrough = KEYS;
  disk.cursor = { logId: 99, epoch: 9, sequence: 1 };
  const rig = new ClusterRig({}, log);
  const node = rig.node("a", { disk });
  await rig.pass(2_000);
  expect(rig.reconciliations).toBe(1);
  expect(node.replica.info()).toMatchObject({ reconciling: false, outboxPending: 0 });
  for (let place = 0; place < ENDS; place += 1) {
    for (const index of [place, KEYS - 1 - place]) {
      const held = node.replica.get(nameOf(index));
      expect(held).toEqual(log.entries.get(nameOf(index))?.entry);
      expect(held?.value[0]).toBe(place === 2 ? 2 : 1);
    }
  }
  expect([log.entries.size, disk.entries.size]).toEqual([KEYS, KEYS]);
});

it("goes on answering offers once a link that is full has drained", () => {
  const rig = new DirectoryRig({ linkBytesMax: 5_000 });
  const sender = rig.join("a", 1);
  for (let position = 1; position <= 40; position += 1) {
    rig.submit(sender, 1, position, [rig.entry(nameOf(position), position, 1_000)]);
  }
  rig.commit();
  const link = rig.join("b", 2, { cursor: { logId: 8, epoch: 1, sequence: 2 } });
  link.say({ type: "reconcile", nowMs: 0 });
  rig.commit();
  link.isSlow = true;
  for (let id = 1; id <= 40; id += 1) {
    const from = id === 1 ? null : nameOf(id - 1);
    link.say({ type: "offer", nowMs: 0, id, from, to: nameOf(id), entries: [] });
  }
  const answered = (): number => link.of("wanted").length;
  expect(answered()).toBeLessThan(20);
  for (let round = 0; round < 40 && answered() < 40; round += 1) {
    link.drain();
    // What one turn may not look at any more, the next one does.
    rig.clock.advance(1);
  }
  expect(link.of("wanted").map(({ donated }) => donated)).toEqual(Array(40).fill(1));
});

it("goes on feeding and answering in the next turn of the event loop, whatever the clock says", () => {
  const deferred: (() => void)[] = [];
  const rig = new DirectoryRig({ recentBytesMax: 0 }, { defer: (go) => void deferred.push(go) });
  const turn = (): void => deferred.splice(0).forEach((go) => go());
  const sender = rig.join("a", 1);
  const count = 2_000;
  for (let position = 1; position <= count; position += 1) {
    rig.submit(sender, 1, position, [rig.entry(nameOf(position), position, 400)]);
    if (position % 100 === 0) rig.commit();
  }
  const { logId, epoch } = rig.log;
  const fed = rig.join("b", 2, { cursor: { logId, epoch, sequence: 0 } });
  rig.commit();
  const compared = rig.join("c", 3, { cursor: { logId: 8, epoch: 1, sequence: 2 } });
  compared.say({ type: "reconcile", nowMs: 0 });
  rig.commit();
  compared.say({ type: "offer", nowMs: 0, id: 1, from: null, to: null, entries: [] });
  const got = ({ frames }: TestLink): number =>
    frames.reduce((sum, { header }) => sum + header.count, 0);
  const first = [fed, compared].map(got);
  for (const entries of first) expect(entries).toBeLessThan(count);
  turn();
  for (const [index, link] of [fed, compared].entries()) {
    expect(got(link)).toBeGreaterThan(first[index] ?? NaN);
    expect(got(link)).toBeLessThan(count);
  }
  for (let round = 0; round < 50; round += 1) turn();
  expect([fed, compared].map(got)).toEqual([count, count]);
});
