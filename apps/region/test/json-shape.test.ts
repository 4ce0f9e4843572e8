import { expect, it } from "vitest";

import { checkShape } from "../src/listeners/http/json-shape.ts";

const BOUNDS = { depthMax: 4, partsMax: 20 };

function shapeOf(json: string): string {
  try {
    checkShape(Buffer.from(json), BOUNDS);
    return "taken";
  } catch (failure) {
    return String((failure as { code?: unknown }).code);
  }
}

it.each([
  ['{"keys":["a","b"]}', "taken"],
  ["[[[[1]]]]", "taken"],
  ["[[[[[1]]]]]", "INVALID_BODY"],
  ['[{"a":[{"b":[]}]}]', "INVALID_BODY"],
  [`[${"0,".repeat(19)}0]`, "taken"],
  [`[${"0,".repeat(20)}0]`, "INVALID_BODY"],
  [`[${"{}".repeat(30)}]`, "INVALID_BODY"],
  // What is in a text is text, whatever it looks like.
  [`{"a":"${"[{,".repeat(100)}"}`, "taken"],
  [`{"a":"\\"${"[,".repeat(100)}\\\\"}`, "taken"],
  [`{"a":"\\\\","b":${"[".repeat(10)}`, "INVALID_BODY"],
  [`{"a":"never ends ${"[".repeat(100)}`, "taken"],
  ["", "taken"],
])("a text like %s is %s", (json, verdict) => {
  expect(shapeOf(json)).toBe(verdict);
});

it("looks at each byte once, however many backslashes and quotes there are", () => {
  const json = Buffer.from(`["${'\\\\\\"'.repeat(2_000_000)}"]`);
  expect(() => checkShape(json, BOUNDS)).not.toThrow();
});
