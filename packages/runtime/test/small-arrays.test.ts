import { SmallArrays } from "@meridian/runtime";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

describe("small arrays", () => {
  it("share memory, and no bytes of it", () =>
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 1_100, size: "max" }), { maxLength: 60 }),
        (contents) => {
          const arrays = new SmallArrays();
          const made = contents.map((content) => {
            const array = arrays.of(content.byteLength);
            array.set(content);
            return array;
          });
          expect(made).toEqual(contents);
          const small = made.filter(({ byteLength }) => byteLength <= 1_024);
          const bytes = small.reduce((sum, { byteLength }) => sum + byteLength, 0);
          // No memory but the last has room for another array.
          const most = Math.ceil(bytes / (15 * 1024)) + 1;
          expect(new Set(small.map(({ buffer }) => buffer)).size).toBeLessThanOrEqual(most);
          for (const { buffer, byteLength } of made)
            expect(buffer.byteLength).toBe(byteLength > 1_024 ? byteLength : 16 * 1024);
        },
      ),
      { examples: [[[new Uint8Array(0)]]] },
    ));
});
