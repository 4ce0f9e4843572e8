import { expect, it } from "vitest";

import { MovedRate, type RateTime } from "../src/moved-rate.ts";

/** Time that passes in pauses only. */
function pausedTime(): RateTime & { readonly pauses: number[] } {
  let nowMs = 5;
  const pauses: number[] = [];
  return {
    pauses,
    elapsedMs: () => nowMs,
    pause: async (ms) => {
      pauses.push(ms);
      nowMs += ms;
    },
  };
}

it("what is moved waits until its rate allows more, on average since the start", async () => {
  const time = pausedTime();
  const rate = new MovedRate(1_000, time);
  for (const pieces of [100, 0, 400]) await rate.add(pieces);
  expect(time.pauses).toEqual([100, 400]);
  expect(rate.elapsedMs).toBe(500);
  // What came too late is caught up on.
  await time.pause(1_000);
  await rate.add(600);
  expect(time.pauses).toEqual([100, 400, 1_000]);
});

it("a pause is no longer than a timer can be", async () => {
  const time = pausedTime();
  await new MovedRate(1, time).add(1e9);
  expect(time.pauses).toEqual([2 ** 31 - 1]);
});

it("without a limit nothing waits", async () => {
  const time = pausedTime();
  await new MovedRate(Infinity, time).add(1e9);
  expect(time.pauses).toEqual([]);
});
