import { expect, it } from "vitest";

import { set } from "./node-rig.ts";
import { ScriptedDirectory } from "./scripted-directory.ts";

it("a write counts among what a client has seen until the node stands where the log has it", async () => {
  const script = new ScriptedDirectory();
  script.welcome(0);
  const written = script.replica.write([set("k")]);
  await script.settle();
  await written;
  const { incarnation } = script.disk;
  expect(script.replica.position()).toMatchObject({ sequence: 0, incarnation, outboxPosition: 1 });
  const nowMs = script.clock.nowMs();
  // The log has it at 5, behind what others wrote, which the node has yet to get.
  script.say({ type: "acknowledge", nowMs, outboxThrough: 1, committedThrough: 5 });
  expect(script.replica.position()).toMatchObject({ sequence: 0, incarnation, outboxPosition: 1 });
  script.feed({ after: 0, through: 5, committedThrough: 5, incarnation, position: 1 }, []);
  expect(script.replica.position()).toMatchObject({ sequence: 5, incarnation: 0 });
});
