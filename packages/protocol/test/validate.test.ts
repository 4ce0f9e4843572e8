import fc from "fast-check";
import { describe, expect, it } from "vitest";

import {
  checkCoordinates,
  checkIdentifier,
  checkAddress,
  checkClientKey,
  checkKey,
  isWebOrigin,
  KEY_BYTES_MAX,
  parseCoordinates,
  utf8Length,
} from "@meridian/protocol";

import { anyText } from "./arbitraries.ts";
import { attempt, refusal } from "./refusal.ts";

describe("a key", () => {
  it("is taken iff it is 1 byte to 1 KiB of text that UTF-8 can carry", () => {
    const long = fc
      .tuple(fc.constantFrom("a", "é", "€", "\u{1f600}", "\ud800"), fc.nat(1030))
      .map(([unit, count]) => unit.repeat(count));
    fc.assert(
      fc.property(fc.oneof(anyText, long), (key) => {
        const bytes = Buffer.from(key);
        const fits = bytes.length >= 1 && bytes.length <= 1024 && bytes.toString() === key;
        expect(attempt(() => checkKey(key))).toBe(fits ? key : "INVALID_KEY");
      }),
      { numRuns: 1_000 },
    );
  });

  it.each([
    ["a", 1024],
    ["é", 512],
    ["\u{1f600}", 256],
  ])("made of %s may have %i of them, and not one byte more", (unit, count) => {
    expect(checkKey(unit.repeat(count))).toHaveLength(unit.length * count);
    expect(refusal(() => checkKey(`${unit.repeat(count)}a`))).toBe("INVALID_KEY");
  });

  it("that is too long is refused with both sizes as details", () => {
    expect(() => checkKey("€".repeat(342))).toThrow(
      expect.objectContaining({ details: { bytes: 1026, bytesMax: KEY_BYTES_MAX } }),
    );
  });

  it.each(["\ud800", "a\ud800", "\udc00a", "\udc00\ud800", "\u{1f600}\ud83d"])(
    "with a lone surrogate is refused (%j)",
    (key) => {
      expect(refusal(() => checkKey(key))).toBe("INVALID_KEY");
    },
  );
});

it("utf8Length is what the platform's encoder makes of any string, well-formed or not", () => {
  fc.assert(
    fc.property(anyText, (text) => {
      expect(utf8Length(text)).toBe(Buffer.byteLength(text));
    }),
    { numRuns: 2_000 },
  );
});

describe("coordinates", () => {
  it("are read as written, both bounds included", () => {
    fc.assert(
      fc.property(
        fc.double({ min: -90, max: 90, noNaN: true }),
        fc.double({ min: -180, max: 180, noNaN: true }),
        (lat, lon) => {
          expect(parseCoordinates(String(lat), String(lon))).toEqual({
            lat: lat + 0,
            lon: lon + 0,
          });
          expect(checkCoordinates({ lat, lon })).toEqual({ lat, lon });
        },
      ),
    );
  });

  it.each([
    ["+12.5", 12.5],
    ["-.5", -0.5],
    ["7.", 7],
    ["1e1", 10],
    [" 5", 5],
    ["-90", -90],
    ["90.000", 90],
  ])("may be written %j", (text, lat) => {
    expect(parseCoordinates(text, "0").lat).toBe(lat);
  });

  it.each([
    "",
    " ",
    "NaN",
    "Infinity",
    "-Infinity",
    "0x10",
    "1e309",
    "1e",
    "e1",
    ".",
    "-",
    "+-1",
    "12,5",
    "1 2",
    "north",
    "12°",
    "90.0001",
    "-91",
    "1e2",
    "1_0",
    "٤",
  ])("written %j are refused", (text) => {
    expect(refusal(() => parseCoordinates(text, "0"))).toBe("INVALID_COORDINATES");
    const lon = text.replace("90.0001", "180.0001").replace("-91", "-181").replace("1e2", "2e2");
    expect(refusal(() => parseCoordinates("0", lon))).toBe("INVALID_COORDINATES");
  });

  it("say which of them was wrong, what was expected and what came", () => {
    expect(() => parseCoordinates("97.2", "0")).toThrow(
      "Expected `lat` between -90 and 90, got `97.2`",
    );
    expect(() => parseCoordinates("0", undefined)).toThrow(
      "Expected `lon` between -180 and 180, got nothing",
    );
  });

  it.each([NaN, Infinity, -Infinity, 90.0000001])("of %d as numbers are refused", (lat) => {
    expect(refusal(() => checkCoordinates({ lat, lon: 0 }))).toBe("INVALID_COORDINATES");
    expect(refusal(() => checkCoordinates({ lat: 0, lon: lat * 2.1 }))).toBe("INVALID_COORDINATES");
  });
});

describe("an identifier", () => {
  it.each(["a", "7", "sao-paulo", "a".repeat(63), "0-0"])("may be %s", (id) => {
    expect(checkIdentifier("a node id", id)).toBe(id);
  });

  it.each(["", "-a", "a-", "A", "a_b", "a.b", "é", "a b", "a".repeat(64), "a\n", "../a"])(
    "may not be %j",
    (id) => {
      expect(refusal(() => checkIdentifier("a node id", id))).toBe("INVALID_ARGUMENT");
    },
  );
});

describe("a network address", () => {
  it.each([
    "0.0.0.0",
    "10.0.0.5",
    "255.255.255.255",
    "::",
    "::1",
    "2001:db8::1",
    "::ffff:10.0.0.5",
  ])("may be %s", (text) => {
    expect(checkAddress(text)).toBe(text);
  });

  it.each([
    "",
    "10.0.0",
    "10.0.0.256",
    "10.0.0.05",
    "10.0.0.5:80",
    "10.0.0.5/8",
    "[::1]",
    "::1%eth0",
    "::g",
    "1:2",
    ":",
    "localhost",
    " 10.0.0.5",
    "10.0.0.5\n",
  ])("is not %j", (text) => {
    expect(refusal(() => checkAddress(text))).toBe("INVALID_ARGUMENT");
  });
});

it.each([
  ["http://a", true],
  ["https://a.example:8443/", true],
  ["http://[::1]:7401", true],
  ["http://", false],
  ["http://a:99999", false],
  ["http://a/b", false],
  ["http://a?b", false],
  ["http://a#b", false],
  ["http://u@a", false],
  ["http://a\\b", false],
  ["http://[10.0.0.5:80]:7401", false],
  ["ws://a", false],
  ["a", false],
])("the URL of a host and no more: %s, %s", (text, answer) => {
  expect(isWebOrigin(text)).toBe(answer);
});

it("a client may name any key but those that begin with U+0000", () => {
  for (const key of ["a", "\u0001", "a\0"]) expect(checkClientKey(key)).toBe(key);
  for (const key of ["\0", "\0a"]) {
    expect(checkKey(key)).toBe(key);
    expect(refusal(() => checkClientKey(key))).toBe("INVALID_KEY");
  }
});
