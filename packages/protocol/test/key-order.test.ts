import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { compareKeys } from "@meridian/protocol";

import { wellFormedText } from "./arbitraries.ts";

const byBytes = (a: string, b: string): number =>
  Math.sign(Buffer.compare(Buffer.from(a), Buffer.from(b)));

describe("the order of keys", () => {
  it("is that of their UTF-8 bytes", () => {
    const sharing = fc
      .tuple(wellFormedText, wellFormedText, wellFormedText)
      .map(([start, a, b]) => [start + a, start + b] as const);
    fc.assert(
      fc.property(sharing, ([a, b]) => {
        expect(Math.sign(compareKeys(a, b))).toBe(byBytes(a, b));
      }),
      { numRuns: 2_000 },
    );
  });

  it("is that of their bytes at every edge between the lengths of UTF-8", () => {
    const edges = [0, 0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xe000, 0xfffd, 0xffff, 0x10000];
    const texts = [...edges, 0x103ff, 0x10400, 0x1f600, 0x10ffff].flatMap((point) => {
      const character = String.fromCodePoint(point);
      return [character, `${character}a`, `a${character}`, character + character];
    });
    for (const a of ["", ...texts]) {
      for (const b of ["", ...texts]) expect(Math.sign(compareKeys(a, b))).toBe(byBytes(a, b));
    }
  });

  it("puts an astral character after every other, as JavaScript's own order does not", () => {
    expect(["\ufffd", "\u{1f600}"].toSorted()).toEqual(["\u{1f600}", "\ufffd"]);
    expect(compareKeys("\u{1f600}", "\ufffd")).toBeGreaterThan(0);
  });
});
