import { expect, it } from "vitest";

import { Line } from "../src/line.ts";

it("gives out what waits in order, and is empty in between", () => {
  const line = new Line<number>();
  const taken: (number | undefined)[] = [line.take()];
  const model: number[] = [];
  const expected: (number | undefined)[] = [undefined];
  for (let step = 0; step < 300; step += 1) {
    if (step % 5 < 3) {
      line.add(step);
      model.push(step);
    } else {
      taken.push(line.take());
      expected.push(model.shift());
    }
  }
  for (let left = model.length; left >= 0; left -= 1) {
    taken.push(line.take());
    expected.push(model.shift());
  }
  expect(taken).toEqual(expected);
});
