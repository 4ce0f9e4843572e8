import { MeridianError } from "@meridian/protocol";
import { Metrics } from "@meridian/runtime";
import { ManualClock } from "@meridian/testkit";
import { beforeEach, describe, expect, it } from "vitest";

import { placeOf, RateLimits } from "../src/rate-limits.ts";

let clock: ManualClock;
let metrics: Metrics;

beforeEach(() => {
  clock = new ManualClock();
  metrics = new Metrics();
});

const limitsOf = (perSecond: number | null, burst: number | null = null): RateLimits =>
  new RateLimits({ perSecond, burst, clock, metrics });

/** How long to wait, in seconds, says what is refused; 0 for what is not. */
function refusal(attempt: () => void): number {
  try {
    attempt();
    return 0;
  } catch (cause) {
    if (!(cause instanceof MeridianError) || cause.code !== "RATE_LIMITED") throw cause;
    return Number(cause.details?.["retryAfterSeconds"]);
  }
}

describe("a client", () => {
  it("may ask as often as allowed, at once and in the long run, and others as well", () => {
    const limits = limitsOf(10, 5);
    const ask = (client = "a"): number => refusal(() => limits.take(client));
    const passed = (): number =>
      Array.from({ length: 20 }, () => ask()).filter((s) => s === 0).length;
    expect(passed()).toBe(5);
    expect(ask()).toBe(1);
    expect(ask("b")).toBe(0);
    clock.advance(100);
    expect(passed()).toBe(1);
    let total = 0;
    for (let tick = 0; tick < 100; tick += 1) {
      clock.advance(50);
      total += passed();
    }
    expect(total).toBe(50);
    clock.advance(60_000);
    expect(passed()).toBe(5);
  });

  it("may ask any number of times where nothing is said", () => {
    const limits = limitsOf(null);
    for (let each = 0; each < 1_000; each += 1) limits.take("a");
    expect(limits.areLimited).toBe(false);
  });

  it("is forgotten where there are too many, those first that ask no more", () => {
    const limits = limitsOf(1, 2);
    limits.take("early");
    clock.advance(10_000);
    limits.take("busy");
    limits.take("busy");
    for (let each = 0; each < 9_998; each += 1) limits.take(`c${each}`);
    const now = (): number => metrics.levels()[0]?.now ?? 0;
    expect(now()).toBe(10_000);
    limits.take("late");
    expect(now()).toBeLessThanOrEqual(10_000);
    for (let each = 0; each < 50_000; each += 1) limits.take(`d${each}`);
    expect(now()).toBeLessThanOrEqual(10_000);
  });
});

describe("an address that shows bad tokens", () => {
  const fail = (limits: RateLimits, times: number, address = "10.0.0.1"): void => {
    for (let each = 0; each < times; each += 1) limits.fail(address);
  };

  it("is locked out for longer and longer, and others are not", () => {
    const limits = limitsOf(null);
    const check = (address = "10.0.0.1"): number => refusal(() => limits.checkAddress(address));
    fail(limits, 20);
    expect(check()).toBe(0);
    const waits: number[] = [];
    for (let round = 0; round < 8; round += 1) {
      fail(limits, 1);
      waits.push(check());
      expect([check("10.0.0.2"), check("::1")]).toEqual([0, 0]);
      clock.advance((waits.at(-1) ?? 0) * 1_000);
      expect(check()).toBe(0);
      // As many as were allowed meanwhile.
      fail(limits, Math.floor(((waits.at(-1) ?? 0) * 1_000) / 3_000));
    }
    expect(waits).toEqual([1, 2, 4, 8, 16, 32, 60, 60]);
    clock.advance(180_000);
    fail(limits, 20);
    expect(check()).toBe(0);
    fail(limits, 1);
    expect(check()).toBe(1);
  });

  it("is one of many that are remembered, and no more", () => {
    const limits = limitsOf(null);
    for (let each = 0; each < 30_000; each += 1) {
      fail(limits, 1, `10.${each >> 16}.${(each >> 8) & 255}.${each & 255}`);
    }
    expect(metrics.levels()[0]?.now).toBeLessThanOrEqual(10_000);
  });

  it.each([
    ["10.0.0.1", "10.0.0.1"],
    ["::ffff:10.0.0.1", "10.0.0.1"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["2001:db8:1:2::6", "2001:db8:1:2::/64"],
    ["2001:DB8::1", "2001:db8:0:0::/64"],
    ["::1", "0:0:0:0::/64"],
    ["fe80::1%eth0", "fe80:0:0:0::/64"],
    [undefined, ""],
  ])("%s counts as %s", (address, place) => {
    expect(placeOf(address)).toBe(place);
  });
});
