import { decodeUtf8, isBase64 } from "@meridian/protocol";
import { describe, expect, it } from "vitest";
import fc from "fast-check";

describe("decodeUtf8", () => {
  it("keeps a byte order mark, so that the bytes can be made again", () => {
    expect(decodeUtf8(Uint8Array.of(0xef, 0xbb, 0xbf, 0x61))).toBe("\uFEFFa");
  });

  it.each([[[0xff]], [[0xc0, 0x80]], [[0xed, 0xa0, 0x80]], [[0xe2, 0x82]]])(
    "throws for %j, which is not UTF-8",
    (bytes) => {
      expect(() => decodeUtf8(Uint8Array.from(bytes))).toThrow(TypeError);
    },
  );
});

describe("isBase64", () => {
  it("holds for what bytes are written as", () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(isBase64(Buffer.from(bytes).toString("base64"))).toBe(true);
      }),
    );
  });

  it.each(["A", "AA", "AAA", "AA=", "A===", "====", "AA=A", "=AAA", "AA-_", "AA==\n", " AAAA"])(
    "does not hold for %j",
    (text) => {
      expect(isBase64(text)).toBe(false);
    },
  );

  it("reads sixteen million characters", () => {
    expect(isBase64("A".repeat(16_000_000))).toBe(true);
    expect(isBase64(`${"A".repeat(15_999_999)}!`)).toBe(false);
  });
});
