import { expect, it } from "vitest";

import { set } from "./node-rig.ts";
import { ScriptedDirectory } from "./scripted-directory.ts";

it("writes that cannot be encoded fail alone, and those of the same turn are stored and sent", async () => {
  const script = new ScriptedDirectory();
  script.welcome(0);
  const unencodable = { ...set("bad"), contentType: "t".repeat(70_000) };
  const written = [
    script.replica.write([set("a")]),
    script.replica.write([set("b"), unencodable]),
    script.replica.write([unencodable]),
    script.replica.write([set("c")]),
  ];
  const outcomes = Promise.allSettled(written);
  await script.settle();
  expect((await outcomes).map(({ status }) => status)).toEqual([
    "fulfilled",
    "rejected",
    "rejected",
    "fulfilled",
  ]);
  expect(["a", "b", "bad", "c"].map((key) => script.store.get(key)?.key)).toEqual([
    "a",
    undefined,
    undefined,
    "c",
  ]);
  expect(script.frames.flatMap(({ entries }) => entries.map(({ key }) => key))).toEqual(["a", "c"]);
  const after = script.replica.write([set("d")]);
  await script.settle();
  await after;
  expect(script.frames.at(-1)?.entries.map(({ key }) => key)).toEqual(["d"]);
  expect(script.closed).toBeUndefined();
});
