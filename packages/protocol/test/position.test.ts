import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { formatPosition, OUTBOXES_MAX, parsePosition, type Position } from "@meridian/protocol";

import { whole } from "./arbitraries.ts";
import { attempt, refusal } from "./refusal.ts";

const identity = fc.integer({ min: 1, max: 2 ** 48 - 1 });
const plain: fc.Arbitrary<Position> = fc.record({
  logId: identity,
  epoch: identity,
  sequence: whole,
  incarnation: identity,
  outboxPosition: whole,
});
const place = fc.record({ incarnation: identity, outboxPosition: whole.filter((at) => at > 0) });
const places = fc.array(place, { minLength: 1, maxLength: OUTBOXES_MAX });
const position = fc.oneof(
  plain,
  fc.tuple(plain, places).map(([made, early]): Position => ({ ...made, early })),
);

describe("a position token", () => {
  it("reads back as the same position", () => {
    fc.assert(
      fc.property(position, (made) => {
        expect(parsePosition(formatPosition(made))).toEqual(made);
      }),
    );
  });

  it("is short and safe in a header", () => {
    fc.assert(
      fc.property(plain, (made) => {
        expect(formatPosition(made)).toMatch(/^[0-9a-z.]{11,59}$/);
      }),
    );
  });

  it("begins with p2 only where something was seen early, and grows by 23 characters for each outbox at most", () => {
    fc.assert(
      fc.property(plain, places, (made, early) => {
        const token = formatPosition({ ...made, early });
        expect(token).toMatch(/^p2\.[0-9a-z.]+$/);
        expect(token.length).toBeLessThanOrEqual(59 + 23 * early.length);
      }),
    );
  });

  it("has one spelling only, and anything else is refused", () => {
    const spelling = fc.oneof(
      fc.string({ maxLength: 80 }),
      fc
        .array(fc.string({ unit: fc.constantFrom("0", "1", "z", "A", "-", ""), maxLength: 12 }), {
          minLength: 4,
          maxLength: 6,
        })
        .map((parts) => `p1.${parts.join(".")}`),
    );
    fc.assert(
      fc.property(spelling, (token) => {
        const read = attempt(() => formatPosition(parsePosition(token)));
        expect(read).toBeOneOf([token, "INVALID_POSITION"]);
      }),
      { numRuns: 1_000 },
    );
  });
});

describe("a text that is no position token", () => {
  it.each([
    "",
    "p1",
    "p1.",
    "p1.1.2.3.4",
    "p1.1.2.3.4.5.6",
    "p1.1.2.3.4.",
    "p2.1.2.3.4.5",
    "p2.1.2.3.4.5.6",
    "p2.1.2.3.4.5.0.7",
    "p2.1.2.3.4.5.6.0",
    `p2.1.2.3.4.5${".6.7".repeat(17)}`,
    "p1.1.2.3.4.5.6.7",
    "p3.1.2.3.4.5",
    "P1.1.2.3.4.5",
    "p1.1.2.3.4.A",
    "p1.1.2.3.4.-5",
    "p1.01.2.3.4.5",
    "p1.1.2.3.4.5 ",
    "p1.1.2.3.4.5\n",
    `p1.1.2.3.4.${(2 ** 53).toString(36)}`,
    "p1.1.2.zzzzzzzzzzz.4.5",
    `p1.${(2 ** 48).toString(36)}.2.3.4.5`,
    `p1.1.${(2 ** 48).toString(36)}.3.4.5`,
    `p1.1.2.3.${(2 ** 48).toString(36)}.5`,
    "p1.1.0.3.4.5",
    "p1.1.2.3.0.5",
    ".".repeat(100_000),
  ])("is refused as %j", (token) => {
    expect(refusal(() => parsePosition(token))).toBe("INVALID_POSITION");
  });

  it("of another version is told so", () => {
    expect(() => parsePosition("p3.1.2.3")).toThrow("version p1 or p2, got one of p3");
  });

  it("is not repeated at length when it is refused", () => {
    expect(() => parsePosition("x".repeat(10_000))).toThrow(/^.{1,200}$/);
  });
});
