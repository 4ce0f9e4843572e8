/** What a directory makes durable, and acknowledges, together. */
import { expect, it } from "vitest";

import { DirectoryRig } from "./rig.ts";

it("what is committed together is acknowledged by one message", () => {
  const rig = new DirectoryRig();
  const [sender, other] = [rig.join("a", 1), rig.join("b", 2)];
  for (const position of [1, 2, 3]) rig.submit(sender, 1, position, [rig.entry("k")]);
  rig.submit(other, 2, 1, [rig.entry("l")]);
  rig.commit();
  expect(sender.of("acknowledge")).toMatchObject([{ outboxThrough: 3, committedThrough: 4 }]);
  expect(other.of("acknowledge")).toMatchObject([{ outboxThrough: 1, committedThrough: 4 }]);
  rig.submit(sender, 1, 4, [rig.entry("k")]);
  rig.commit();
  expect(sender.of("acknowledge").at(-1)).toMatchObject({ outboxThrough: 4, committedThrough: 5 });
});

it("a frame is awaited of the log only if its writer waits for more than its node", () => {
  const rig = new DirectoryRig();
  const sender = rig.join("a", 1);
  const awaited: unknown[] = [];
  const append = rig.log.append.bind(rig.log);
  rig.log.append = (frame, done) => {
    awaited.push(frame.isAwaited);
    append(frame, done);
  };
  rig.submit(sender, 1, 1, [rig.entry("k")]);
  rig.submit(sender, 1, 2, [rig.entry("l")], { reportApplied: true });
  expect(awaited).toEqual([false, true]);
});
