import { expect, it } from "vitest";

import { TakenBack, TAKEN_BACK_MAX, type Stamp } from "@meridian/protocol";

it("a stamp of the same time and of another origin is another stamp", () => {
  const takenBack = new TakenBack();
  takenBack.add([{ time: 5, origin: 7 }]);
  expect([7, 8].map((origin) => takenBack.has({ time: 5, origin }))).toEqual([true, false]);
  expect([5, 57, 7].map((time) => takenBack.hasTime(time))).toEqual([true, false, false]);
});

it("a list of stamps that is full forgets the oldest", () => {
  const takenBack = new TakenBack();
  expect(takenBack.isEmpty).toBe(true);
  const at = (time: number): Stamp => ({ time, origin: 7 });
  const stamps = Array.from({ length: TAKEN_BACK_MAX + 2 }, (_, index) => at(index + 1));
  takenBack.add(stamps.slice(0, 3));
  takenBack.add(stamps.slice(3));
  expect(takenBack.isEmpty).toBe(false);
  expect([1, 2, 3, TAKEN_BACK_MAX + 2].map((time) => takenBack.has(at(time)))).toEqual([
    false,
    false,
    true,
    true,
  ]);
});
