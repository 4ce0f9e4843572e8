/** A heartbeat says how old what a node has still to send may be: no horizon passes that. */
import { stampTimeOf, type Entry } from "@meridian/protocol";
import { expect, it } from "vitest";

import { set } from "./node-rig.ts";
import { ScriptedDirectory } from "./scripted-directory.ts";

/** What the node says next of the lowest stamp time that it has to send. */
function lowestTime(script: ScriptedDirectory): number {
  script.clock.advance(500);
  const beat = script.texts.findLast((message) => message.type === "heartbeat");
  if (beat?.type !== "heartbeat") throw new Error("Expected a heartbeat");
  return beat.lowestTime;
}

it("counts what is being committed, however long the disk takes", async () => {
  const script = new ScriptedDirectory();
  // Shorter than what follows: otherwise the clock alone would hold the horizon back.
  script.welcome(0, { horizonMs: 100 });
  const madeAtMs = script.clock.nowMs();
  void script.replica.write([set("k")]);
  script.turn();
  expect(lowestTime(script)).toBeLessThanOrEqual(stampTimeOf(madeAtMs + 1));
});

it("promises nothing while entries wait to be sent again, and then what they are", async () => {
  const script = new ScriptedDirectory();
  script.welcome(0);
  const stamp = { time: 1_000_000, origin: 5 };
  const value = new Uint8Array([1]);
  const entry: Entry = {
    key: "k",
    value,
    contentType: "a/b",
    stamp,
    expiresAtMs: 0,
    deleted: false,
  };
  script.feed({ after: 0, through: 1, committedThrough: 0, incarnation: 9, position: 1 }, [entry]);
  await script.settle();
  script.reconnect();
  const epochs: [number, number][] = [
    [1, 0],
    [2, 0],
  ];
  script.welcome(0, { epoch: 2, epochs });
  expect(lowestTime(script)).toBe(0);
  await script.settle();
  expect(script.frames.at(-1)).toMatchObject({ position: 1, entries: [{ key: "k" }] });
  expect(lowestTime(script)).toBeLessThanOrEqual(stamp.time);
  expect(lowestTime(script)).toBeGreaterThan(0);
});
