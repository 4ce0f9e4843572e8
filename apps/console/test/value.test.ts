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

  it("is shown as bytes with what of them can be read", () => {
    expect(hexOf(new TextEncoder().encode("0123456789abcdef\u0000é"))).toBe(
      [
        "000000  30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66  0123456789abcdef",
        `000010  ${"00 c3 a9".padEnd(47)}  ···`,
      ].join("\n"),
    );
  });
});
