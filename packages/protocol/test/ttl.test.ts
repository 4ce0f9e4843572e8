import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { checkTtlMs, parseTtlMs, TTL_MS_MAX } from "@meridian/protocol";

import { refusal } from "./refusal.ts";

const UNITS = { "": 1_000n, ms: 1n, s: 1_000n, m: 60_000n, h: 3_600_000n, d: 86_400_000n } as const;

describe("a time to live", () => {
  it.each([
    ["90", 90_000],
    ["0.5", 500],
    ["250ms", 250],
    ["90s", 90_000],
    ["15m", 900_000],
    ["2h", 7_200_000],
    ["7d", 604_800_000],
    ["1.5h", 5_400_000],
    ["007", 7_000],
    ["36525d", TTL_MS_MAX],
  ])("written %s is %i milliseconds", (text, ttlMs) => {
    expect(parseTtlMs(text)).toBe(ttlMs);
  });

  it("is exact to the millisecond, and rounded up beyond it", () => {
    const written = fc.record({
      amount: fc.nat(9_999_999),
      decimals: fc.nat(6),
      unit: fc.constantFrom(...(Object.keys(UNITS) as (keyof typeof UNITS)[])),
    });
    fc.assert(
      fc.property(written, ({ amount, decimals, unit }) => {
        const digits = String(amount).padStart(decimals + 1, "0");
        const text =
          decimals === 0 ? digits : `${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`;
        const scale = 10n ** BigInt(decimals);
        const exact = BigInt(amount) * UNITS[unit];
        const ms = Number((exact + scale - 1n) / scale);
        const expected = ms >= 1 && exact <= BigInt(TTL_MS_MAX) * scale ? ms : "INVALID_TTL";
        const answer = refusal(() => parseTtlMs(text + unit));
        expect(answer === "accepted" ? parseTtlMs(text + unit) : answer).toBe(expected);
      }),
      { numRuns: 2_000 },
    );
  });

  it("is never rounded down to nothing", () => {
    expect(parseTtlMs("0.0001ms")).toBe(1);
    expect(parseTtlMs("0.000000000001")).toBe(1);
    expect(checkTtlMs(Number.MIN_VALUE)).toBe(1);
  });
});

describe("what is no time to live", () => {
  it.each([
    "",
    " ",
    "0",
    "0s",
    "0.0",
    "-1",
    "-1s",
    "+1",
    "NaN",
    "Infinity",
    "1e3",
    "1e309",
    "0x10",
    "90 s",
    " 90",
    "90\n",
    "90S",
    "90sec",
    "s",
    ".5",
    "5.",
    "1.2.3",
    "1h30m",
    "1,5",
    "1_000",
    "٩",
    "36526d",
    "3155760001",
    "9".repeat(400),
    `0.${"0".repeat(400)}1`,
  ])("written %j is refused", (text) => {
    expect(refusal(() => parseTtlMs(text))).toBe("INVALID_TTL");
  });

  it.each([0, -0, -1, NaN, Infinity, -Infinity, TTL_MS_MAX + 1])(
    "of %d milliseconds is refused",
    (ttlMs) => {
      expect(refusal(() => checkTtlMs(ttlMs))).toBe("INVALID_TTL");
    },
  );
});
