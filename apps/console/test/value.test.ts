import { describe, expect, it } from "vitest";

import { bytesOf, firstView, hexOf, imageTypeOf, jsonOf } from "../page/pages/keys/value.ts";

const told = (bytes: readonly number[], contentType = "image/svg+xml") => ({
  value: Buffer.from(bytes).toString("base64"),
  encoding: "base64" as const,
  contentType,
});
const text = (value: string, contentType = "text/plain") => ({
  value,
  encoding: "utf8" as const,
  contentType,
});
const PNG = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0];

describe("a value", () => {
  it("is an image by its bytes, never by what it says of itself", () => {
    expect(firstView(told(PNG, "text/html"))).toBe("image");
    expect(firstView(text("<svg onload='alert(1)'/>", "image/svg+xml"))).toBe("text");
    expect(firstView(told([1, 2, 3], "image/png"))).toBe("hex");
    expect(imageTypeOf(bytesOf(text("<svg/>")))).toBe(undefined);
  });

  it("is shown as JSON where it is some", () => {
    expect(firstView(text('{"a":1}'))).toBe("json");
    expect(jsonOf(text('{"a":1}'))).toBe('{\n  "a": 1\n}');
    expect(firstView(text("{a"))).toBe("text");
    expect(firstView(text("12"))).toBe("text");
    expect(jsonOf(told(PNG))).toBe(undefined);
  });

  it.each([
    "12345678901234567890",
    "[1.0,1e400,-0,1E5]",
    '{"2":0,"1":0,"a":1,"a":2}',
    '{ "a" : [ ] , "b":{},"c":[[],{"d":[1,"x, y: {}\\\"\\u00e9"]}] }',
    ` [true,\tnull ] `,
  ])("shows JSON as it was written: %s", (source) => {
    const shown = jsonOf(text(source)) ?? "";
    const tokens = (json: string): readonly string[] | null =>
      json.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g);
    expect(tokens(shown)).toEqual(tokens(source));
    expect(JSON.parse(shown)).toEqual(JSON.parse(source));
  });

  it("breaks the lines of JSON as is usual", () => {
    const source = { a: [], b: {}, c: [[1, 2], { d: "e" }], f: [[]] };
    expect(jsonOf(text(JSON.stringify(source)))).toBe(JSON.stringify(source, undefined, 2));
    const deep = jsonOf(text("[".repeat(2_000) + "]".repeat(2_000))) ?? "";
    expect(deep.length).toBeLessThan(4_000 * 70);
    const long = JSON.stringify(['\\"x'.repeat(30_000)]);
    expect(jsonOf(text(long))?.length).toBe(long.length + 4);
  });

  it("is shown as bytes with what of them can be read", () => {
    expect(hexOf(new TextEncoder().encode("0123456789abcdef\u0000é"))).toBe(
      [
        "000000  30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66  0123456789abcdef",
        `000010  ${"00 c3 a9".padEnd(47)}  ···`,
      ].join("\n"),
    );
  });
});
