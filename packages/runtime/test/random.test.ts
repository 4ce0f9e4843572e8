import fc from "fast-check";
import { describe, expect, it } from "vitest";

import {
  Backoff,
  randomIdentity,
  seededRandom,
  systemRandom,
  type Random,
} from "@meridian/runtime";

const constant = (value: number): Random => ({ next: () => value });

/** Computed apart from this code, by a program in another language. */
const KNOWN_42: readonly number[] = [0.12848329569051886, 0.07509804298428158, 0.2114172102260231];

function draws(random: Random, count: number): number[] {
  return Array.from({ length: count }, () => random.next());
}

/** Pearson's statistic of `values` in [0, 1) against an even spread over `cells`. */
function chiSquare(values: readonly number[], cells: number): number {
  const counts = Array.from({ length: cells }, () => 0);
  for (const value of values) {
    const cell = Math.floor(value * cells);
    counts[cell] = (counts[cell] ?? 0) + 1;
  }
  const even = values.length / cells;
  return counts.reduce((sum, count) => sum + (count - even) ** 2 / even, 0);
}

describe("a seeded generator", () => {
  it("repeats itself from its seed, today and on any platform", () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        expect(draws(seededRandom(seed), 20)).toEqual(draws(seededRandom(seed), 20));
      }),
    );
    expect(draws(seededRandom(42), 3)).toEqual(KNOWN_42);
  });

  it("differs from seed to seed", () => {
    const firsts = Array.from({ length: 10_000 }, (_, seed) => seededRandom(seed).next());
    expect(new Set(firsts).size).toBe(10_000);
    expect(chiSquare(firsts, 100)).toBeLessThan(200);
  });

  it.each([0, 1, 2 ** 31, 2 ** 32 - 1, 123_456_789])("of %i draws evenly from [0, 1)", (seed) => {
    const values = draws(seededRandom(seed), 100_000);
    expect(values.every((value) => value >= 0 && value < 1)).toBe(true);
    // Of 99 degrees of freedom: a fair generator is above 170 once in 100 000 times.
    expect(chiSquare(values, 100)).toBeLessThan(170);
    const pairs = values.map((value, index) => {
      const next = values[index + 1] ?? 0;
      return (Math.floor(value * 10) * 10 + Math.floor(next * 10) + 0.5) / 100;
    });
    expect(chiSquare(pairs, 100)).toBeLessThan(170);
    const lowBits = values.map((value) => ((value * 2 ** 53) % 128) / 128);
    expect(chiSquare(lowBits, 128)).toBeLessThan(215);
  });
});

it("the platform's generator draws from [0, 1) and not twice the same", () => {
  const values = draws(systemRandom, 10_000);
  expect(values.every((value) => value >= 0 && value < 1)).toBe(true);
  expect(new Set(values).size).toBe(10_000);
  expect(chiSquare(values, 10)).toBeLessThan(60);
});

it("an identity is a whole number in [1, 2^48), both ends within reach", () => {
  expect(randomIdentity(constant(0))).toBe(1);
  expect(randomIdentity(constant(1 - 2 ** -53))).toBe(2 ** 48 - 1);
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const identity = randomIdentity(seededRandom(seed));
      expect(Number.isInteger(identity) && identity >= 1 && identity < 2 ** 48).toBe(true);
    }),
  );
});

describe("a back-off", () => {
  const bounds = fc.record({
    seed: fc.integer(),
    firstMs: fc.integer({ min: 1, max: 5_000 }),
    maxMs: fc.integer({ min: 1, max: 60_000 }),
  });

  it("draws each delay from half to the whole of a ceiling that doubles up to the highest", () => {
    fc.assert(
      fc.property(bounds, ({ seed, firstMs, maxMs }) => {
        const backoff = new Backoff({ random: seededRandom(seed), firstMs, maxMs });
        let ceiling = firstMs;
        for (let attempt = 0; attempt < 60; attempt += 1) {
          const delayMs = backoff.nextMs();
          const highest = Math.min(ceiling, maxMs);
          expect(delayMs).toBeGreaterThanOrEqual(highest / 2);
          expect(delayMs).toBeLessThanOrEqual(highest);
          ceiling *= 2;
        }
      }),
    );
  });

  it("stays at its ceiling however often it is asked", () => {
    const backoff = new Backoff({ random: constant(0), firstMs: 1, maxMs: 1_000 });
    let delayMs = 0;
    for (let attempt = 0; attempt < 5_000; attempt += 1) delayMs = backoff.nextMs();
    expect(delayMs).toBe(500);
  });

  it("starts again from the first delay after a success", () => {
    const backoff = new Backoff({ random: constant(0.5), firstMs: 100, maxMs: 10_000 });
    expect([backoff.nextMs(), backoff.nextMs(), backoff.nextMs()]).toEqual([75, 150, 300]);
    backoff.reset();
    expect(backoff.nextMs()).toBe(75);
  });

  it("spreads those who were cut off at one moment over half of the ceiling", () => {
    const delays = Array.from({ length: 1_000 }, (_, seed) =>
      new Backoff({ random: seededRandom(seed), firstMs: 1_000, maxMs: 1_000 }).nextMs(),
    );
    expect(
      chiSquare(
        delays.map((delayMs) => (delayMs - 500) / 500),
        10,
      ),
    ).toBeLessThan(40);
  });
});
