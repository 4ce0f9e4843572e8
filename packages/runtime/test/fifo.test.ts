import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import fc from "fast-check";
import { expect, it } from "vitest";

import { Fifo } from "@meridian/runtime";

it("does what an array does, however it is used", () => {
  const action = fc.oneof(
    { weight: 3, arbitrary: fc.constant("push" as const) },
    { weight: 2, arbitrary: fc.constant("shift" as const) },
    fc.constantFrom("take-all" as const, "look" as const),
  );
  fc.assert(
    fc.property(fc.array(action, { maxLength: 400, size: "max" }), (actions) => {
      const [fifo, model] = [new Fifo<number>(), [] as number[]];
      // Compared at once: an assertion takes longer than what it looks at.
      const found: unknown[] = [];
      const wanted: unknown[] = [];
      for (const [number, what] of actions.entries()) {
        if (what === "push") {
          fifo.push(number);
          model.push(number);
        }
        const [removed, expected] = what === "shift" ? [fifo.shift(), model.shift()] : [];
        const takesAll = what === "take-all" && number % 8 === 0;
        const [all, rest] = takesAll ? [fifo.takeAll(), model.splice(0)] : [];
        found.push(removed, all, fifo.length);
        wanted.push(expected, rest, model.length);
        for (const at of [0, 1, model.length - 1, model.length]) {
          found.push(fifo.at(at));
          wanted.push(at < 0 ? undefined : model[at]);
        }
      }
      expect(found).toEqual(wanted);
    }),
    { seed: 1, numRuns: 100 },
  );
});

it("holds nothing that was removed", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  setFlagsFromString("--no-expose-gc");
  const fifo = new Fifo<object>();
  let gone = 0;
  const registry = new FinalizationRegistry(() => (gone += 1));
  for (let number = 0; number < 40; number += 1) {
    const item = { number };
    registry.register(item, undefined);
    fifo.push(item);
  }
  for (let number = 0; number < 20; number += 1) fifo.shift();
  for (let round = 0; round < 100 && gone < 20; round += 1) {
    collect();
    await new Promise((done) => setImmediate(done));
  }
  expect([gone, fifo.length]).toEqual([20, 20]);
});
