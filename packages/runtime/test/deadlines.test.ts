import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { Deadlines } from "@meridian/runtime";

import { ManualClock } from "./manual-clock.ts";

describe("deadlines", () => {
  it("run each at its moment unless cancelled before, as separate timers would", () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant("after" as const), delayMs: fc.nat(50) }),
      fc.record({ do: fc.constant("cancel" as const), which: fc.nat(200) }),
      fc.record({ do: fc.constant("advance" as const), byMs: fc.nat(20) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const clock = new ManualClock();
        const deadlines = new Deadlines(clock);
        const cancels: (() => void)[] = [];
        const ran: string[] = [];
        const model: { id: number; atMs: number }[] = [];
        const expected: string[] = [];
        for (const one of steps) {
          if (one.do === "after") {
            const id = cancels.length;
            const atMs = clock.elapsedMs() + one.delayMs;
            cancels.push(
              deadlines.after(one.delayMs, () => ran.push(`${id} at ${clock.elapsedMs()}`)),
            );
            model.push({ id, atMs });
          } else if (one.do === "cancel") {
            const id = cancels.length === 0 ? -1 : one.which % cancels.length;
            cancels[id]?.();
            const index = model.findIndex((entry) => entry.id === id);
            if (index >= 0) model.splice(index, 1);
          } else {
            clock.advance(one.byMs);
            for (const entry of model.filter(({ atMs }) => atMs <= clock.elapsedMs())) {
              expected.push(`${entry.id} at ${entry.atMs}`);
              model.splice(model.indexOf(entry), 1);
            }
          }
          expect(ran.toSorted()).toEqual(expected.toSorted());
          expect(clock.timers).toBeLessThanOrEqual(1);
        }
      }),
      { numRuns: 300 },
    );
  });

  it("run in the order of their moments", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(1_000), { maxLength: 100 }), (delays) => {
        const clock = new ManualClock();
        const deadlines = new Deadlines(clock);
        const ran: number[] = [];
        for (const delayMs of delays) deadlines.after(delayMs, () => ran.push(delayMs));
        clock.advance(1_000);
        expect(ran).toEqual(delays.toSorted((a, b) => a - b));
      }),
    );
  });
});

describe("deadlines that are given up", () => {
  it("are no more, however many there were and however far away", () => {
    const clock = new ManualClock();
    const deadlines = new Deadlines(clock);
    const ran: number[] = [];
    deadlines.after(5, () => ran.push(5));
    for (let index = 0; index < 10_000; index += 1)
      deadlines.after(60_000, () => ran.push(index))();
    deadlines.after(7, () => ran.push(7));
    clock.advance(60_000);
    expect(ran).toEqual([5, 7]);
    expect(clock.timers).toBe(0);
  });

  it("that were cleared never run, even those whose moment it is already", () => {
    const clock = new ManualClock();
    const deadlines = new Deadlines(clock);
    const ran: string[] = [];
    for (const name of ["first", "second", "third"]) {
      deadlines.after(5, () => {
        ran.push(name);
        deadlines.clear();
      });
    }
    deadlines.after(6, () => ran.push("later"));
    clock.advance(100);
    expect(ran).toHaveLength(1);
    expect(clock.timers).toBe(0);
    deadlines.after(1, () => ran.push("anew"));
    clock.advance(1);
    expect(ran.at(-1)).toBe("anew");
  });

  it("may be set and cancelled from within a deadline", () => {
    const clock = new ManualClock();
    const deadlines = new Deadlines(clock);
    const ran: string[] = [];
    deadlines.after(5, () => {
      ran.push("first");
      cancelSecond();
      deadlines.after(0, () => ran.push("now"));
      deadlines.after(5, () => ran.push("later"));
    });
    const cancelSecond = deadlines.after(6, () => ran.push("second"));
    clock.advance(5);
    expect(ran).toEqual(["first", "now"]);
    clock.advance(5);
    expect(ran).toEqual(["first", "now", "later"]);
  });
});
