import { describe, expect, it } from "vitest";

import { flatten } from "../page/pages/status/flatten.ts";
import { fragmentOf, placeOf } from "../page/shell/place.ts";

describe("a place in the console", () => {
  it.each([
    ["", { page: "", parts: [] }],
    ["#/map", { page: "map", parts: [] }],
    ["#/keys/user%3A42/%2F", { page: "keys", parts: ["user:42", "/"] }],
    ["#/keys/%E0%A4%A", { page: "keys", parts: ["%E0%A4%A"] }],
  ])("is read from %s", (fragment, place) => {
    expect(placeOf(fragment)).toEqual(place);
  });

  it.each(["user:42", "a/b", "%", "<img src=x onerror=alert(1)>", "‮txt", "#", "..", "ключ"])(
    "keeps a key as it is: %s",
    (key) => {
      expect(placeOf(fragmentOf("keys", key))).toEqual({ page: "keys", parts: [key] });
    },
  );
});

it("a status becomes names and texts", () => {
  expect(flatten({ a: 1234.5, disk: { free: null }, list: [], peers: [{ name: "x" }] })).toEqual([
    ["a", "1,234.5"],
    ["disk.free", "null"],
    ["list", "none"],
    ["peers.0.name", "x"],
  ]);
});
