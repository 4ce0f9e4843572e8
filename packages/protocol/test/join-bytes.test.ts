import { joinBytes } from "@meridian/protocol";
import { expect, it } from "vitest";

it("bytes are joined in their order, into an array of their own", () => {
  const parts = [[1, 2], [], [3]].map((bytes) => Uint8Array.from(bytes));
  const whole = joinBytes(parts);
  parts[0]?.fill(9);
  expect([...whole]).toEqual([1, 2, 3]);
  expect(joinBytes([])).toHaveLength(0);
});
