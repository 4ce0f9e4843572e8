import fc from "fast-check";
import { expect, it } from "vitest";

import { RUN_BYTES, RUN_ROWS, runEnds } from "../src/trim-run.ts";

it("runs take all rows in their order, each as many as its bounds allow", () => {
  const sizes = fc.array(fc.oneof(fc.nat(300), fc.nat(2 * RUN_BYTES)), { maxLength: 200 });
  fc.assert(
    fc.property(sizes, (bytes) => {
      const ends = runEnds(bytes.map((each, index) => [index + 1, each]));
      expect(ends.at(-1) ?? 0).toBe(bytes.length);
      for (const [index, end] of ends.entries()) {
        const run = bytes.slice(ends[index - 1] ?? 0, end);
        const behindFirst = (rows: readonly number[]): number =>
          rows.slice(1).reduce((sum, each) => sum + each, 0);
        expect(run.length).toBeGreaterThan(0);
        expect(run.length).toBeLessThanOrEqual(RUN_ROWS);
        expect(behindFirst(run)).toBeLessThanOrEqual(RUN_BYTES);
        const longer = [...run, bytes[end] ?? Infinity];
        expect(longer.length > RUN_ROWS || behindFirst(longer) > RUN_BYTES).toBe(true);
      }
    }),
  );
});
