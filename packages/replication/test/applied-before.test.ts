/** What a node has when it greets counts as applied, although it is only sent that once more. */
import { expect, it } from "vitest";

import { DirectoryRig } from "./rig.ts";

it("a node that comes back says what it had before, and is believed as far as it had said so when it greeted", () => {
  const rig = new DirectoryRig();
  const writer = rig.join("a", 1);
  const { logId, epoch } = rig.log;
  for (const position of [1, 2, 3]) rig.submit(writer, 1, position, [rig.entry(`k${position}`)]);
  const cursor = { logId, epoch, sequence: 0 };
  const link = rig.connect();
  link.bufferedBytes = Infinity;
  link.say(rig.hello("b", 2, { cursor, home: { ...cursor, sequence: 2 } }));
  rig.beat(link, 2);
  expect([link.closed, link.frames.length]).toEqual([undefined, 0]);
  expect(rig.directory.linked("b")?.appliedThrough).toBe(2);
  rig.beat(link, 3);
  expect(link.closed).toMatchObject({ code: 4400, reason: expect.stringContaining("at most 2") });
});
