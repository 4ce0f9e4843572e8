import fc from "fast-check";
import { expect, it } from "vitest";

import { base36, identityText } from "../src/base36.ts";

const WHOLE = fc.oneof(
  fc.maxSafeNat(),
  fc.nat(),
  // The numbers around those that have one digit more.
  fc
    .record({ digits: fc.integer({ min: 0, max: 10 }), more: fc.integer({ min: -2, max: 2 }) })
    .map(({ digits, more }) => Math.max(0, 36 ** digits + more)),
);

it("a number has the digits that `toString` finds, whichever came before it", () => {
  fc.assert(
    fc.property(fc.array(WHOLE), (numbers) => {
      const expected = numbers.map((number) => number.toString(36));
      expect(numbers.map(base36)).toEqual(expected);
      expect(numbers.map(identityText)).toEqual(expected);
    }),
  );
});

it("identities beyond those that are kept have their digits, too", () => {
  for (let round = 0; round < 2; round += 1) {
    for (let identity = 1; identity < 1_000; identity += 1) {
      expect(identityText(identity)).toBe(identity.toString(36));
    }
  }
});
