import { readQuery, readWhole, targetOf } from "@meridian/http";
import { describe, expect, it } from "vitest";

import { isHost, pathAndQueryOf } from "../src/target.ts";

describe("a target", () => {
  it.each([
    ["/a?b=c", "/a", "b=c"],
    ["/a", "/a", ""],
    ["/a?b#c?d", "/a", "b"],
    ["/a#c?d", "/a", ""],
    ["/%2e%2e/../a", "/%2e%2e/../a", ""],
    ["//a/b", "//a/b", ""],
    ["/a?http://h/b", "/a", "http://h/b"],
    ["http://h:1/a/b?c", "/a/b", "c"],
  ])("%s has the path %s and the query %s", (url, path, query) => {
    expect(targetOf(url)).toEqual({ path, query });
  });

  it.each([
    ["/a?b\\c", "/a?b\\c"],
    ["http://h:1/a?b", "/a?b"],
    ["HTTPS://[::1]:1/a", "/a"],
    ["/a\\b", undefined],
    ["*", undefined],
    ["", undefined],
    ["h:443", undefined],
    ["http://h", undefined],
    ["http://a b/", undefined],
    ["http://[/", undefined],
    ["ftp://h/a", undefined],
  ])("%s is asked for as %s", (target, expected) => {
    expect(pathAndQueryOf(target)).toBe(expected);
  });
});

describe("a host", () => {
  it.each([
    "",
    "a",
    "a.b:80",
    "A_b:",
    "127.0.0.1:1",
    "[::1]",
    "[::1]:7401",
    "[0:0:0:0:0:0:0:1]:7401",
    "[::ffff:127.0.0.1]",
    "[fe80::1%25eth0]:1",
    "[fe80::1%eth0]",
  ])("may be %s", (text) => {
    expect(isHost(text)).toBe(true);
  });

  it.each(["a b", "a/b", "[", "[::1", "::1", "a:b", "a:123456", "u@h", "[::g]", "a\tb", "a[::1]"])(
    "is not %s",
    (text) => {
      expect(isHost(text)).toBe(false);
    },
  );
});

describe("a query", () => {
  it("is read by its known options, each once", () => {
    expect(readQuery("a=1&b=%C3%A9+x&&", ["a", "b", "c"])).toEqual({ a: "1", b: "\u00e9 x" });
    expect(readQuery("a", ["a"])).toEqual({ a: "" });
    const refused = [
      ["b=1", "UNKNOWN_OPTION"],
      ["a=1&a=2", "INVALID_ARGUMENT"],
      ["a=%ff", "INVALID_ARGUMENT"],
      ["%ff=1", "INVALID_ARGUMENT"],
      ["a=%", "INVALID_ARGUMENT"],
      ["__proto__=1", "UNKNOWN_OPTION"],
    ] as const;
    for (const [query, code] of refused) {
      expect(() => readQuery(query, ["a"])).toThrow(expect.objectContaining({ code }));
    }
  });

  it("has whole numbers within their bounds", () => {
    const bounds = { min: 1, max: 10, fallback: 5 };
    expect([undefined, "1", "10"].map((text) => readWhole("n", text, bounds))).toEqual([5, 1, 10]);
    for (const text of ["", "0", "11", "1.5", "-1", "1e1", " 1", "0x1", "99999999999999999"]) {
      expect(() => readWhole("n", text, bounds)).toThrow("Expected `n` to be a whole number");
    }
  });
});
