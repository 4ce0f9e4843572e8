import { Deadlines } from "@meridian/runtime";
import { ManualClock } from "@meridian/testkit";
import { expect, it } from "vitest";

import { Acknowledgements } from "../src/node/acknowledgements.ts";

it("`all` is not reached by nodes alone: a log has to have the write as well", async () => {
  const known = new Acknowledgements("a", new Deadlines(new ManualClock()), 10, 0);
  const all = known.wait(1, "all", 1_000);
  let answered = false;
  void all.then(() => {
    answered = true;
  });
  known.onApplied(1, ["b"], ["b"]);
  await Promise.resolve();
  expect(answered).toBe(false);
  known.onDirectory(1);
  expect(await all).toMatchObject({ reached: true, directory: true, nodes: ["a", "b"] });
});
