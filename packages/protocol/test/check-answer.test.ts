import { checkAnswer } from "@meridian/protocol/http-api";
import * as v from "valibot";
import { expect, it } from "vitest";

const schema = v.object({
  name: v.string(),
  inner: v.object({ count: v.number() }),
  list: v.array(v.object({ kind: v.picklist(["a", "b"]) })),
});
const right = { name: "x", inner: { count: 1 }, list: [{ kind: "a" }] };

it("an answer keeps the members that its schema does not name", () => {
  const more = { ...right, added: 1, inner: { count: 1, added: [2] } };
  expect(checkAnswer(schema, more, "there")).toBe(more);
});

it.each([
  [null, "Expected the answer from there to be Object, got null"],
  [[], "Expected `name` from there, got nothing"],
  [{ ...right, name: 1 }, "Expected `name` from there to be string, got 1"],
  [{ ...right, inner: {} }, "Expected `inner.count` from there, got nothing"],
  [
    { ...right, list: [{ kind: "c" }] },
    'Expected `list.0.kind` from there to be ("a" | "b"), got "c"',
  ],
])("%j is refused", (answer, message) => {
  expect(() => checkAnswer(schema, answer, "there")).toThrow(
    expect.objectContaining({ code: "INTERNAL", message }),
  );
});
