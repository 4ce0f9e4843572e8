/** A sample of `npm run hunt:fuzz`: what hunts have found, and some inputs more. */
import { expect, it } from "vitest";

import { TARGETS } from "../fuzz/all-targets.ts";
import { corpusOf } from "../fuzz/corpus.ts";
import { fuzz } from "../fuzz/fuzz.ts";

const SAMPLE = 64;

/** Fewer where each needs a socket. */
const SOCKET_SAMPLE = 32;

it.each(TARGETS)("$name takes whatever comes, with a code", async ({ name, overSockets, make }) => {
  const inputs = overSockets ? SOCKET_SAMPLE : SAMPLE;
  const target = await make();
  const { faults, outcomes } = await fuzz(target, { seed: 1, inputs, corpus: corpusOf(name) });
  await target.stop?.();
  expect(faults).toEqual([]);
  expect(outcomes).toBeGreaterThan(1);
});
