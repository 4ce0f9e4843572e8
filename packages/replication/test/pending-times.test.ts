import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { PendingTimes } from "../src/horizon/pending-times.ts";

describe("the bound of the pending stamps", () => {
  it("is infinite while nothing is pending, and 0 while something is that nobody has looked at", () => {
    const times = new PendingTimes(3);
    expect(times.lowestTime).toBe(0);
    times.add(4, 70);
    times.acknowledge(2);
    expect(times.lowestTime).toBe(0);
    times.acknowledge(3);
    expect(times.lowestTime).toBe(70);
    times.acknowledge(4);
    expect(times.lowestTime).toBe(Infinity);
    times.add(5, 80);
    times.forget(5);
    expect(times.lowestTime).toBe(0);
  });

  it("is never above the lowest in the outbox, whatever comes and goes", () => {
    const steps = fc.array(fc.record({ time: fc.nat(50), gone: fc.nat(3) }), { maxLength: 60 });
    fc.assert(
      fc.property(steps, (each) => {
        const times = new PendingTimes(0);
        const pending: number[] = [];
        let acknowledged = 0;
        for (const [index, { time, gone }] of each.entries()) {
          times.add(index + 1, time);
          pending.push(time);
          const done = Math.min(gone, pending.length);
          pending.splice(0, done);
          acknowledged += done;
          times.acknowledge(acknowledged);
          expect(times.lowestTime).toBe(Math.min(Infinity, ...pending));
        }
      }),
    );
  });

  it("stays a lower bound where more frames are pending than bounds are kept", () => {
    const times = new PendingTimes(0);
    for (let position = 1; position <= 5_000; position += 1) times.add(position, position);
    expect(times.lowestTime).toBe(1);
    times.acknowledge(4_000);
    expect(times.lowestTime).toBeLessThanOrEqual(4_001);
    expect(times.lowestTime).toBeGreaterThan(1_000);
    times.acknowledge(5_000);
    expect(times.lowestTime).toBe(Infinity);
  });
});
