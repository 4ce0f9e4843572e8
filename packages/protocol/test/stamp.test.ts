import fc from "fast-check";
import { describe, expect, it } from "vitest";

import {
  compareStamps,
  formatStamp,
  isStamp,
  parseStamp,
  STAMP_EPOCH_MS,
  STAMP_TIME_MAX,
  STAMPS_PER_MS,
  stampTimeOf,
  unixMsOf,
} from "@meridian/protocol";

import { stamp } from "./arbitraries.ts";
import { attempt, refusal } from "./refusal.ts";

/** The order of stamps, as slowly and plainly as it can be said. */
function modelOrder(a: readonly [bigint, bigint], b: readonly [bigint, bigint]): number {
  if (a[0] !== b[0]) return a[0] < b[0] ? -1 : 1;
  if (a[1] !== b[1]) return a[1] < b[1] ? -1 : 1;
  return 0;
}

describe("the order of stamps", () => {
  it("is that of the pair (time, origin), exact to the last bit", () => {
    fc.assert(
      fc.property(stamp, stamp, (a, b) => {
        const model = modelOrder(
          [BigInt(a.time), BigInt(a.origin)],
          [BigInt(b.time), BigInt(b.origin)],
        );
        expect(Math.sign(compareStamps(a, b))).toBe(model);
        expect(Math.sign(compareStamps(b, a)) + model).toBe(0);
      }),
    );
  });

  it("tells two stamps apart exactly when their text differs", () => {
    fc.assert(
      fc.property(stamp, stamp, (a, b) => {
        expect(compareStamps(a, b) === 0).toBe(formatStamp(a) === formatStamp(b));
      }),
    );
  });

  it("is transitive: sorting gives the same sequence whatever the start", () => {
    fc.assert(
      fc.property(
        fc
          .array(stamp, { maxLength: 20 })
          .chain((stamps) =>
            fc.tuple(
              fc.constant(stamps),
              fc.shuffledSubarray(stamps, { minLength: stamps.length, maxLength: stamps.length }),
            ),
          ),
        ([stamps, shuffled]) => {
          const texts = (list: typeof stamps): string[] =>
            list.toSorted(compareStamps).map(formatStamp);
          expect(texts(shuffled)).toEqual(texts(stamps));
        },
      ),
    );
  });
});

describe("the text of a stamp", () => {
  it("reads back as the same stamp", () => {
    fc.assert(
      fc.property(stamp, (made) => {
        expect(parseStamp(formatStamp(made))).toEqual(made);
      }),
    );
  });

  it("is safe in a URL and in an ETag", () => {
    fc.assert(
      fc.property(stamp, (made) => {
        expect(formatStamp(made)).toMatch(/^[0-9a-z]+-[0-9a-z]+$/);
      }),
    );
  });

  it("has one spelling only: whatever is read is written back the same", () => {
    const spelling = fc.oneof(
      fc.string({ maxLength: 24 }),
      fc.string({ unit: fc.constantFrom("0", "1", "z", "-", "Z", " ", "."), maxLength: 24 }),
    );
    fc.assert(
      fc.property(spelling, (text) => {
        const read = attempt(() => formatStamp(parseStamp(text)));
        expect(read).toBeOneOf([text, "INVALID_ARGUMENT"]);
      }),
    );
  });

  it.each([
    ["nothing", ""],
    ["no origin", "1a-"],
    ["no time", "-1a"],
    ["an origin of zero", "1a-0"],
    ["a leading zero", "01a-1"],
    ["capitals", "1A-1"],
    ["a sign", "+1a-1"],
    ["a line break after it", "1a-1\n"],
    ["a time of 2^53", `${(2 ** 53).toString(36)}-1`],
    ["a time of 36^11 - 1", "zzzzzzzzzzz-1"],
    ["an origin of 2^48", `1-${(2 ** 48).toString(36)}`],
    ["three parts", "1-1-1"],
  ])("is refused with %s", (_what, text) => {
    expect(refusal(() => parseStamp(text))).toBe("INVALID_ARGUMENT");
  });
});

describe("a stamp's time", () => {
  it("goes to the millisecond it stands for and back", () => {
    const ms = fc.integer({
      min: STAMP_EPOCH_MS,
      max: STAMP_EPOCH_MS + Math.floor(STAMP_TIME_MAX / STAMPS_PER_MS),
    });
    fc.assert(
      fc.property(ms, fc.integer({ min: 0, max: STAMPS_PER_MS - 1 }), (unixMs, counter) => {
        expect(unixMsOf(stampTimeOf(unixMs) + counter)).toBe(unixMs);
        expect(isStamp({ time: stampTimeOf(unixMs) + 1, origin: 1 })).toBe(true);
      }),
    );
  });

  it("is 0 before the stamps' epoch and never negative", () => {
    expect([STAMP_EPOCH_MS, STAMP_EPOCH_MS - 1, 0, -1e15].map(stampTimeOf)).toEqual([0, 0, 0, 0]);
  });

  it("lasts until the year 2093", () => {
    expect(new Date(unixMsOf(STAMP_TIME_MAX)).getUTCFullYear()).toBe(2093);
  });
});

it("a stamp out of its ranges is none", () => {
  const odd = [NaN, Infinity, -Infinity, -1, 0.5, 2 ** 53];
  for (const time of odd) expect(isStamp({ time, origin: 1 })).toBe(false);
  for (const origin of [...odd, 0, 2 ** 48]) expect(isStamp({ time: 1, origin })).toBe(false);
  expect(isStamp({ time: 0, origin: 1 })).toBe(false);
  expect(isStamp({ time: 1, origin: 1 })).toBe(true);
  expect(isStamp({ time: STAMP_TIME_MAX, origin: 2 ** 48 - 1 })).toBe(true);
});
