import { afterEach, expect, it, vi } from "vitest";

import { Steps } from "../src/service/steps.ts";

afterEach(() => void vi.restoreAllMocks());

/** Whether a piece of work goes on in the turn in which it is asked for. */
async function goesOn(steps: Steps): Promise<boolean> {
  let isTurnOver = false;
  setImmediate(() => (isTurnOver = true));
  await steps.spend(0);
  return !isTurnOver;
}

it("work that takes long goes on in another turn, and a pause before it does not count", async () => {
  let nowMs = 0;
  vi.spyOn(performance, "now").mockImplementation(() => nowMs);
  const steps = new Steps();
  nowMs = 3;
  expect(await goesOn(steps)).toBe(true);
  nowMs = 5;
  expect(await goesOn(steps)).toBe(false);
  expect(await goesOn(steps)).toBe(true);
  nowMs = 1_000;
  steps.begin();
  expect(await goesOn(steps)).toBe(true);
});
