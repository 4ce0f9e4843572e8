import { closeCodeOf, type ErrorCode } from "@meridian/protocol";
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

it("a directory that stood still blames nobody for the silence", () => {
  const rig = new DirectoryRig();
  const node = rig.join("a", 1);
  rig.clock.standStill(10_000);
  rig.clock.advance(300);
  expect(node.closed).toBeUndefined();
  rig.clock.advance(1_800);
  expectClosed(node, "LEASE_EXPIRED");
});
