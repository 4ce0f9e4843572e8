/** What `npm run hunt:soak` takes for a trend. */
import { seededRandom } from "@meridian/runtime";
import { describe, expect, it } from "vitest";

import { quantile, trendOf, type Sample } from "./soak/trend.ts";

const random = seededRandom(1);

/** A hundred samples, half a minute apart, of a value that grows by `perHour` and moves up and down by `noise`. */
function series(perHour: number, noise: number): Sample[] {
  return Array.from({ length: 100 }, (_, index) => ({
    atMs: index * 30_000,
    value: 1_000 + (perHour * index) / 120 + noise * (random.next() - 0.5),
  }));
}

const HOURS = 99 / 120;

describe("the trend of a series", () => {
  it("is what it grows by between the first sample and the last", () => {
    expect(trendOf(series(60, 0))).toMatchObject({ samples: 100 });
    expect(trendOf(series(60, 0)).growth).toBeCloseTo(60 * HOURS);
    expect(trendOf(series(-60, 0)).growth).toBeCloseTo(-60 * HOURS);
  });

  it("is found below noise of the same size", () => {
    expect(trendOf(series(60, 60)).growth).toBeGreaterThan(45 * HOURS);
    expect(Math.abs(trendOf(series(0, 60)).growth)).toBeLessThan(15);
  });

  it("is not moved far by a fifth of samples that are far away, even if all of them are at the end", () => {
    const level = series(0, 10);
    const everyFifth = level.map((one, index) => (index % 5 === 0 ? { ...one, value: 1e6 } : one));
    expect(Math.abs(trendOf(everyFifth).growth)).toBeLessThan(10);
    const lastOnes = level.map((one, index) => (index >= 80 ? { ...one, value: 1e6 } : one));
    // Twenty of a hundred at the end are in 36 % of all pairs: less than half.
    expect(trendOf(lastOnes).growth).toBeLessThan(100);
  });

  it("is not told of too few samples, or of samples in no order", () => {
    expect(() => trendOf(series(0, 0).slice(0, 7))).toThrow("Expected at least 8 samples, got 7");
    expect(() => trendOf(series(0, 0).toReversed())).toThrow("in the order of their times");
  });
});

it("a quantile is the smallest value that so many do not exceed", () => {
  const values = Array.from({ length: 200 }, (_, index) => 200 - index);
  expect([0, 0.5, 0.99, 1].map((share) => quantile(values, share))).toEqual([1, 100, 198, 200]);
  expect(quantile([], 0.99)).toBeNaN();
});
