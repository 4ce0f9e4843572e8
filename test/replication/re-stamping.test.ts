import { stampTimeOf, type Entry } from "@meridian/protocol";
import { expect, it } from "vitest";

import { set } from "./node-rig.ts";
import { ScriptedDirectory } from "./scripted-directory.ts";

const HOUR_MS = 3_600_000;

it("what the directory has taken before it refuses a frame keeps its stamps, and what follows lies above", async () => {
  const script = new ScriptedDirectory();
  script.welcome(0);
  const writes = [];
  for (const value of ["first", "second"]) {
    writes.push(script.replica.write([set("k", value)]));
    await script.settle();
  }
  await Promise.all(writes);
  const [first, second] = script.frames;
  // The directory's clock is an hour behind; it has taken the first for what it had admitted before.
  script.say({
    type: "refuse",
    nowMs: script.clock.nowMs() - HOUR_MS,
    position: 2,
    code: "CLOCK_AHEAD",
  });
  await script.settle();
  const [, , firstAgain, secondAgain] = script.frames;
  expect(firstAgain).toEqual(first);
  expect(secondAgain?.position).toBe(2);
  const [kept] = first?.entries ?? [];
  const [restamped] = secondAgain?.entries ?? [];
  expect(restamped?.value).toEqual(second?.entries[0]?.value);
  expect(restamped?.stamp.time).toBeGreaterThan(kept?.stamp.time ?? Infinity);
});

it("what another node wrote keeps its stamp, although it has replaced what is offered again", async () => {
  const script = new ScriptedDirectory();
  const written = script.replica.write([set("k", "mine")]);
  await script.settle();
  await written;
  script.welcome(1);
  const stamp = { time: stampTimeOf(script.clock.nowMs() + 5_000), origin: 5 };
  const theirs: Entry = {
    key: "k",
    value: new TextEncoder().encode("theirs"),
    contentType: "text/plain",
    stamp,
    expiresAtMs: 0,
    deleted: false,
  };
  const header = { after: 0, through: 1, committedThrough: 1, incarnation: 9, position: 1 };
  script.feed(header, [theirs]);
  await script.settle();
  script.say({
    type: "refuse",
    nowMs: script.clock.nowMs() - HOUR_MS,
    position: 1,
    code: "CLOCK_AHEAD",
  });
  await script.settle();
  for (const { entries } of script.frames) {
    for (const entry of entries) expect(entry.stamp.time).toBeLessThanOrEqual(stamp.time);
  }
  expect(script.replica.get("k")).toEqual(theirs);
});

it("nor does it get a new one when it comes in while others do", async () => {
  const script = new ScriptedDirectory();
  for (const key of ["j", "k"]) {
    const written = script.replica.write([set(key, "mine")]);
    await script.settle();
    await written;
  }
  script.welcome(1);
  const refusal = { type: "refuse", position: 1, code: "CLOCK_AHEAD" } as const;
  script.say({ ...refusal, nowMs: script.clock.nowMs() - HOUR_MS });
  // The first frame is on its way to the disk, the second has yet to have its turn.
  const theirs: Entry = {
    key: "k",
    value: new TextEncoder().encode("theirs"),
    contentType: "text/plain",
    stamp: { time: stampTimeOf(script.clock.nowMs() + 5_000), origin: 5 },
    expiresAtMs: 0,
    deleted: false,
  };
  const header = { after: 0, through: 1, committedThrough: 1, incarnation: 9, position: 1 };
  script.feed(header, [theirs]);
  await script.settle();
  expect(script.replica.get("k")).toEqual(theirs);
  expect(script.frames.findLast(({ position }) => position === 2)?.entries).toEqual([theirs]);
});
