import fc from "fast-check";
import { expect, it } from "vitest";

import { OpenRanges } from "../src/reconcile/open-ranges.ts";

const KEYS = ["a", "b", "c", "d", "e", "f", "g"];

it("is empty once every key has been settled, in whatever pieces and order, and not before", () => {
  const place = fc.option(fc.constantFrom(...KEYS), { nil: null });
  fc.assert(
    fc.property(fc.array(fc.tuple(place, place), { maxLength: 12 }), (pieces) => {
      const open = new OpenRanges();
      // Between two neighbouring places lies one part of the key space; the last is the one behind all of them.
      const left = new Set([...KEYS, "end"]);
      for (const [after, through] of pieces) {
        open.settle(after, through);
        for (const each of KEYS) {
          if ((after === null || each > after) && (through === null || each <= through))
            left.delete(each);
        }
        if (through === null) left.delete("end");
      }
      expect(open.isEmpty).toBe(left.size === 0);
    }),
    { numRuns: 2_000 },
  );
});

it("refuses more pieces than any walk leaves open", () => {
  const open = new OpenRanges();
  const settle = (): void => {
    for (let at = 0; at < 70_000; at += 1) {
      const key = String(at).padStart(6, "0");
      open.settle(`${key}a`, `${key}b`);
    }
  };
  expect(settle).toThrow("Expected at most 65536 ranges");
});
