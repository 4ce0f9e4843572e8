import fc from "fast-check";
import { expect, it } from "vitest";

import { piecesOf, type JsonPieces } from "../src/listeners/http/json-pieces.ts";

const BOUNDS = { depthMax: 4, partsMax: 20 };

function cut(json: string, bounds = BOUNDS): JsonPieces {
  const walk = piecesOf(Buffer.from(json), bounds);
  for (;;) {
    const { done, value } = walk.next();
    if (done === true) return value;
  }
}

function shapeOf(json: string): string {
  try {
    cut(json);
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
  [`{"a":"${"x".repeat(70_000)}"}`, "INVALID_BODY"],
  [`{"a":["${"x".repeat(70_000)}"]}`, "taken"],
  ["", "taken"],
])("a text like %s is %s", (json, verdict) => {
  expect(shapeOf(json)).toBe(verdict);
});

it.each([
  ['{"a":[]}', '{"a":[]}', []],
  ['{"a":[ \n]}', '{"a":[]}', []],
  [
    '{"a":[1, "x,]" ,{"b":[2,3]}],"c":[[]]}',
    '{"a":[0,1,2],"c":[3]}',
    ["1", ' "x,]" ', '{"b":[2,3]}', "[]"],
  ],
  ['{"a":[1,]}', '{"a":[0,1]}', ["1", ""]],
  ['{"a":[,]}', '{"a":[0,1]}', ["", ""]],
  ['{"a":[{]}', '{"a":[0}', ["{]"]],
  ['{"a":{"b":[1,2]}}', '{"a":{"b":[1,2]}}', []],
  ["[[1,2]]", "[[0,1]]", ["1", "2"]],
])("%s is cut into %s and its elements", (json, outline, elements) => {
  const pieces = cut(json);
  expect(Buffer.from(pieces.outline).toString()).toBe(outline);
  expect(pieces.elements.map((piece) => Buffer.from(piece).toString())).toEqual(elements);
});

/** What the pieces of a text stand for together, or that they are no JSON. */
function joined({ outline, elements }: JsonPieces): unknown {
  try {
    const root = JSON.parse(Buffer.from(outline).toString()) as Record<string, unknown>;
    const values = elements.map((piece) => JSON.parse(Buffer.from(piece).toString()) as unknown);
    const isList = (member: unknown): member is number[] => Array.isArray(member);
    return Object.fromEntries(
      Object.entries(root).map(([name, member]) => [
        name,
        isList(member) ? member.map((number) => values[number]) : member,
      ]),
    );
  } catch {
    return "no JSON";
  }
}

function whole(json: string): unknown {
  try {
    return JSON.parse(json) as unknown;
  } catch {
    return "no JSON";
  }
}

const bodies = fc
  .dictionary(fc.string(), fc.oneof(fc.array(fc.jsonValue()), fc.jsonValue()))
  .map((body) => JSON.stringify(body, null, 1));

it("the pieces of an object stand for what it stands for, and of what is none for nothing", () => {
  const bounds = { depthMax: 1_000, partsMax: 100_000 };
  fc.assert(
    fc.property(
      bodies,
      fc.nat(),
      fc.constantFrom("", ...Array.from('[]{},"\\ 0')),
      (json, at, character) => {
        const place = at % (json.length + 1);
        const changed = json.slice(0, place) + character + json.slice(place + 1);
        for (const text of [json, changed]) {
          const expected = whole(text);
          const isObject = typeof expected === "object" && expected !== null;
          if (Array.isArray(expected) || (!isObject && expected !== "no JSON")) continue;
          expect(joined(cut(text, bounds))).toEqual(expected);
        }
      },
    ),
  );
});

it("looks at each byte once, however many backslashes and quotes there are", () => {
  const json = `["${'\\\\\\"'.repeat(2_000_000)}"]`;
  expect(() => cut(json, { depthMax: 4, partsMax: 20 })).toThrow("65536 bytes outside");
});

it("rests while it walks over a long text that has no texts in it", () => {
  const walk = piecesOf(Buffer.alloc(4 * 1024 * 1024, "1"), BOUNDS);
  expect(walk.next()).toEqual({ done: false, value: 256 * 1024 });
});
