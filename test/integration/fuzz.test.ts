/** A sample of `npm run hunt:fuzz`: what hunts have found, and some inputs more. */
import { expect, it } from "vitest";

import { corpusOf } from "../fuzz/corpus.ts";
import { fuzz } from "../fuzz/fuzz.ts";
import { httpTarget, READERS, tokenTarget, type Target } from "../fuzz/targets.ts";

const SAMPLE = 64;

const makers: readonly (readonly [string, number, () => Promise<Target>])[] = [
  ...READERS.map((target) => [target.name, SAMPLE, async () => target] as const),
  ["token", SAMPLE, tokenTarget],
  ["http-request", 32, httpTarget],
];

it.each(makers)("%s takes whatever comes, with a code", async (name, inputs, make) => {
  const target = await make();
  const { faults, outcomes } = await fuzz(target, { seed: 1, inputs, corpus: corpusOf(name) });
  await target.stop?.();
  expect(faults).toEqual([]);
  expect(outcomes).toBeGreaterThan(1);
});
