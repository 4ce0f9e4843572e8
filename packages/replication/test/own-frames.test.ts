/** A node that asks for its own frames gets them as the others do. */
import { blockOf, capabilities, decodeBlock } from "@meridian/protocol";
import { expect, it } from "vitest";

import { DirectoryRig, readyLogDisk, type TestLink } from "./rig.ts";

it("a sender that asks for its own frames gets them with their entries, and also what the log keeps of them", () => {
  const rig = new DirectoryRig();
  const sender = rig.join("a", 1, capabilities());
  rig.submit(sender, 1, 1, [rig.entry("k")]);
  rig.submit(sender, 1, 2, [rig.entry("k"), rig.entry("l")]);
  rig.commit();
  const read = (link: TestLink): unknown =>
    link.frames.map(({ header: { through, count }, bytes }) => [
      through,
      decodeBlock(blockOf(bytes), count).map(({ key }) => key),
    ]);
  expect(read(sender)).toEqual([
    [1, ["k"]],
    [3, ["k", "l"]],
  ]);
  // The log has forgotten whose frames it has compacted: nobody's are left out.
  const disk = readyLogDisk(7);
  const before = new DirectoryRig({}, { disk, framesMax: 0 });
  before.submit(before.join("a", 1), 1, 1, [before.entry("k"), before.entry("l")]);
  before.commit();
  const rest = new DirectoryRig({}, { disk, epoch: 2 });
  const place = { logId: 7, epoch: 1, sequence: 0 };
  const placed = { ...capabilities(), outboxThrough: 1, outboxAcknowledged: 1, cursor: place };
  expect(read(rest.join("a", 1, placed))).toEqual([[2, ["k", "l"]]]);
});
