import { REPLICA_LIMITS } from "@meridian/replication";
import { expect, it } from "vitest";

import { set } from "./node-rig.ts";
import { ScriptedDirectory } from "./scripted-directory.ts";

it.each([
  ["a number of nodes", 2],
  ["all", "all"],
] as const)(
  "a write is acknowledged by %s only where the directory names them ready",
  async (_, level) => {
    const script = new ScriptedDirectory();
    script.welcome(0);
    const written = script.replica.write([set("k")], { reportApplied: true });
    await script.settle();
    const receipt = await written;
    const say = (nodes: string[], ready: string[]): void =>
      script.say({ type: "applied-by", nowMs: script.clock.nowMs(), position: 1, nodes, ready });
    const reaches = async (): Promise<boolean> => {
      const known = script.replica.acknowledgement(receipt, level, 100);
      script.clock.advance(200);
      return (await known).reached;
    };
    const nowMs = script.clock.nowMs();
    script.say({ type: "acknowledge", nowMs, outboxThrough: 1, committedThrough: 1 });
    expect(await reaches()).toBe(false);
    // One that has it and serves nobody is no copy to count on, and one that serves and lacks it is missing.
    say(["b"], level === "all" ? ["c"] : []);
    expect(await reaches()).toBe(false);
    say(["b", "c"], ["c"]);
    expect(await reaches()).toBe(true);
  },
);

it("what every node has applied is not acknowledged by all before a directory has committed it", async () => {
  const script = new ScriptedDirectory();
  script.welcome(0);
  const written = script.replica.write([set("k")], { reportApplied: true });
  await script.settle();
  const receipt = await written;
  const nowMs = script.clock.nowMs();
  const acknowledged = async (): Promise<unknown> => {
    const known = script.replica.acknowledgement(receipt, "all", 100);
    script.clock.advance(200);
    return known;
  };
  script.say({ type: "applied-by", nowMs, position: 1, nodes: ["b"], ready: ["b"] });
  expect(await acknowledged()).toMatchObject({ reached: false, directory: false });
  script.say({ type: "acknowledge", nowMs, outboxThrough: 1, committedThrough: 1 });
  expect(await acknowledged()).toMatchObject({ reached: true, directory: true });
});

it.each([
  ["is heard", 0, ["a", "b", "c"]],
  ["is forgotten", 1, ["a", "c"]],
] as const)(
  "a report %s by who waits after as many reports as are kept, and %i more",
  async (_, more, nodes) => {
    const script = new ScriptedDirectory();
    script.welcome(0);
    const written = script.replica.write([set("k")], { reportApplied: true });
    await script.settle();
    const receipt = await written;
    const say = (node: string): void => {
      const named = { nodes: [node], ready: ["b", "c"] };
      script.say({ type: "applied-by", nowMs: script.clock.nowMs(), position: 1, ...named });
    };
    say("b");
    for (let said = 1; said < REPLICA_LIMITS.reportsMax + more; said += 1) say("c");
    const known = script.replica.acknowledgement(receipt, 4, 100);
    script.clock.advance(200);
    expect(await known).toMatchObject({ reached: false, nodes });
  },
);
