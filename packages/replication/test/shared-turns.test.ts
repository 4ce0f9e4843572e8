import { describe, expect, it } from "vitest";

import { SharedTurns } from "../src/shared-turns.ts";

/** An event loop whose clock moves only by the work that is done in it. */
class Loop {
  nowMs = 0;
  #due: (() => void)[] = [];
  readonly turns: SharedTurns = new SharedTurns((callback) => void this.#due.push(callback), {
    elapsedMs: () => this.nowMs,
  });

  /** Work that takes so long. */
  work(ms: number, done: () => void = () => {}): () => void {
    return () => {
      this.nowMs += ms;
      done();
    };
  }

  /** Runs one turn. Returns how long it has taken, in milliseconds. */
  turn(): number {
    const startedMs = this.nowMs;
    const due = this.#due;
    this.#due = [];
    for (const each of due) each();
    const tookMs = this.nowMs - startedMs;
    // What a turn does beside.
    this.nowMs += 2;
    return tookMs;
  }
}

describe("turns that walks share", () => {
  it("are short however many walks there are, and each walk has its turn", () => {
    const loop = new Loop();
    const steps = Array.from({ length: 1_000 }, () => 0);
    for (const index of steps.keys()) {
      const goOn = (): void => {
        steps[index] = (steps[index] ?? 0) + 1;
        if (steps[index] !== 3) loop.turns.later(loop.work(1, goOn));
      };
      loop.turns.later(loop.work(1, goOn));
    }
    const fewest: number[] = [];
    for (let turn = 0; steps.some((done) => done < 3); turn += 1) {
      expect(turn).toBeLessThan(2_000);
      expect(loop.turn()).toBeLessThanOrEqual(8);
      fewest.push(Math.max(...steps) - Math.min(...steps));
    }
    // None is two rounds ahead of another.
    expect(Math.max(...fewest)).toBeLessThanOrEqual(1);
  });

  it("run what comes in a turn with room in that turn, in order", () => {
    const loop = new Loop();
    const order: number[] = [];
    for (const each of [1, 2, 3]) loop.turns.later(loop.work(1, () => order.push(each)));
    loop.turn();
    expect(order).toEqual([1, 2, 3]);
  });

  it("are not counted over a pause", () => {
    const loop = new Loop();
    for (let round = 0; round < 10; round += 1) {
      let isDone = false;
      loop.turns.later(loop.work(3, () => (isDone = true)));
      loop.turn();
      expect(isDone).toBe(true);
    }
  });

  it("go on behind a callback that throws", () => {
    const loop = new Loop();
    const order: number[] = [];
    loop.turns.later(loop.work(5, () => order.push(1)));
    loop.turns.later(() => {
      throw new Error("on purpose");
    });
    loop.turns.later(loop.work(1, () => order.push(3)));
    loop.turn();
    expect(order).toEqual([1]);
    expect(() => loop.turn()).toThrow("on purpose");
    loop.turn();
    expect(order).toEqual([1, 3]);
  });
});
