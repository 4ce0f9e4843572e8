import { closeCodeOf, type ErrorCode, type NodeMessage } from "@meridian/protocol";
import { expect, it } from "vitest";

import { DirectoryRig, type TestLink } from "./rig.ts";

function expectClosed(link: TestLink, code: ErrorCode): void {
  expect(link.closed?.code).toBe(closeCodeOf(code));
}

it("a taken id is refused while its holder lives, and free once its lease has expired", () => {
  const rig = new DirectoryRig();
  const holder = rig.join("a", 1);
  expectClosed(rig.join("a", 2), "NODE_ID_TAKEN");
  expect(holder.closed).toBeUndefined();
  rig.clock.advance(1_800);
  expectClosed(holder, "LEASE_EXPIRED");
  expect(rig.join("a", 2).closed).toBeUndefined();
});

it("a silent node is gone within two seconds, one that beats stays", () => {
  const rig = new DirectoryRig();
  const [silent, alive] = [rig.join("a", 1), rig.join("b", 2)];
  for (let beat = 0; beat < 4; beat += 1) {
    rig.clock.advance(490);
    rig.beat(alive);
  }
  expectClosed(silent, "LEASE_EXPIRED");
  expect(rig.directory.members.map(({ id }) => id)).toEqual(["b"]);
});

it("a node lives whose large message is still coming, and one that has not greeted is given no longer for that", () => {
  const rig = new DirectoryRig();
  const [silent, slow] = [rig.join("a", 1), rig.join("b", 2)];
  const stranger = rig.connect();
  for (let part = 0; part < 40; part += 1) {
    rig.clock.advance(500);
    slow.events?.onPart();
    stranger.events?.onPart();
  }
  expectClosed(silent, "LEASE_EXPIRED");
  expectClosed(stranger, "LEASE_EXPIRED");
  expect(rig.directory.members.map(({ id }) => id)).toEqual(["b"]);
});

it("a peer that says without end that it lives loses its link, one that was held up does not", () => {
  const rig = new DirectoryRig();
  const [held, flood, other] = [rig.join("a", 1), rig.join("b", 2), rig.join("c", 3)];
  for (let beats = 0; beats < 240; beats += 1) rig.beat(held);
  for (let beats = 0; beats < 260; beats += 1) rig.beat(flood);
  expect(held.closed).toBeUndefined();
  expect(held.of("echo")).toHaveLength(240);
  expectClosed(flood, "MALFORMED_MESSAGE");
  expect(flood.of("echo").length).toBeLessThanOrEqual(256);
  // As often as a node may change its status, for as long as it likes.
  for (let seconds = 0; seconds < 60; seconds += 1) {
    for (let beats = 0; beats < 40; beats += 1) {
      rig.clock.advance(25);
      rig.beat(other);
    }
  }
  expect(other.closed).toBeUndefined();
});

const nowMs = 0;
const everything = [{ to: null, count: 0, fingerprint: "0000000000000000" }];
/** What a node may say again and again, and how often at once. */
const REPEATED: Readonly<Record<string, { message: NodeMessage; atOnce: number }>> = {
  applied: { message: { type: "applied", nowMs, through: 1 }, atOnce: 20_000 },
  locate: { message: { type: "locate", nowMs, incarnation: 9, position: 1 }, atOnce: 20_000 },
  compare: {
    message: { type: "compare", nowMs, id: 1, from: null, ranges: everything },
    atOnce: 20_000,
  },
  offer: {
    message: { type: "offer", nowMs, id: 1, from: null, to: null, entries: [] },
    atOnce: 20_000,
  },
  reconcile: { message: { type: "reconcile", nowMs }, atOnce: 64 },
};

it.each(Object.entries(REPEATED))(
  "a peer that says `%s` without end loses its link, and no other",
  (_type, { message, atOnce }) => {
    const rig = new DirectoryRig();
    const [other, flood] = [rig.join("a", 1), rig.join("b", 2)];
    rig.submit(other, 1, 1, [rig.entry("k")]);
    for (let count = 0; count < atOnce; count += 1) flood.say(message);
    expect(flood.closed).toBeUndefined();
    flood.say(message);
    expectClosed(flood, "MALFORMED_MESSAGE");
    rig.beat(other);
    expect(other.of("echo")).toHaveLength(1);
  },
);

it("a peer that sends again and again what the log has loses its link", () => {
  const rig = new DirectoryRig({ nodeBytesMax: 4_000 });
  const link = rig.join("a", 1);
  const entries = [rig.entry("k", 0, 1_000)];
  rig.submit(link, 1, 1, entries);
  rig.commit();
  for (let count = 0; count < 3; count += 1) rig.submit(link, 1, 1, entries);
  expect(link.closed).toBeUndefined();
  rig.submit(link, 1, 1, entries);
  expectClosed(link, "OVERLOADED");
});

it("who fills what may wait for the disk is parted with, and not who sends next", () => {
  const rig = new DirectoryRig({ nodeBytesMax: 40_000, commitBytesMax: 60_000 });
  const [filler, second, honest] = [rig.join("a", 1), rig.join("b", 2), rig.join("c", 3)];
  const large = [rig.entry("k", 0, 9_000)];
  for (let position = 1; position <= 5; position += 1) rig.submit(filler, 1, position, large);
  // More than a node ever has in flight.
  expectClosed(filler, "OVERLOADED");
  for (let position = 1; position <= 2; position += 1) rig.submit(second, 2, position, large);
  expect(second.closed).toBeUndefined();
  rig.submit(honest, 3, 1, [rig.entry("small", 0, 6_000)]);
  expectClosed(second, "OVERLOADED");
  expect(honest.closed).toBeUndefined();
  rig.commit();
  expect(honest.of("acknowledge").at(-1)?.outboxThrough).toBe(1);
  // What was taken counts for its outbox, whichever link it came on.
  const again = rig.join("a", 1, { outboxThrough: 9 });
  rig.submit(again, 1, 5, large);
  expect(again.closed).toBeUndefined();
});

it("a directory that stood still blames nobody for the silence", () => {
  const rig = new DirectoryRig();
  const node = rig.join("a", 1);
  rig.clock.standStill(10_000);
  rig.clock.advance(300);
  expect(node.closed).toBeUndefined();
  rig.clock.advance(1_800);
  expectClosed(node, "LEASE_EXPIRED");
});
