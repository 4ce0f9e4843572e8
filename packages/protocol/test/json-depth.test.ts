import fc from "fast-check";
import { expect, it } from "vitest";

import { decodeNodeMessage } from "@meridian/protocol";

import { isDeeperThan } from "../src/json-depth.ts";
import { refusal } from "./refusal.ts";

function depthOf(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

it("is told of any JSON as its value has it, whatever is in its strings", () => {
  const odd = fc.string({ unit: fc.constantFrom("[", "]", "{", "}", '"', "\\", "a") });
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), fc.array(odd), fc.nat(8), (value, strings, max) => {
      const whole = [value, strings, Object.fromEntries(strings.map((each) => [each, [each]]))];
      expect(isDeeperThan(JSON.stringify(whole), max)).toBe(depthOf(whole) > max);
    }),
    { numRuns: 500 },
  );
});

it("text beyond its bounds is refused without being parsed", () => {
  for (const json of ["[".repeat(4_194_304), '{"a":'.repeat(800_000), "[".repeat(60_000_000)]) {
    expect(refusal(() => decodeNodeMessage(json))).toBe("MALFORMED_MESSAGE");
  }
  const long = JSON.stringify({ type: "goodbye", nowMs: 1, extra: "x".repeat(9_000) });
  expect(refusal(() => decodeNodeMessage(long))).toBe("accepted");
  expect(refusal(() => decodeNodeMessage(long, 8_192))).toBe("MALFORMED_MESSAGE");
});
