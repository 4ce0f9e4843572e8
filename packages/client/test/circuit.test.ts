import fc from "fast-check";
import { expect, test } from "vitest";

import { Circuit, FAILURES_MAX, type Attempt } from "../src/circuit.ts";
import { Probation } from "../src/probation.ts";
import { retryAfterMs } from "../src/retry-after.ts";

test("a request without an answer opens a circuit at once", () => {
  const circuit = new Circuit();
  expect(circuit.failed(circuit.begin(), true)).toBe(true);
  expect([circuit.state, circuit.admits]).toEqual(["open", false]);
});

test("the third answer in a row that tells of a failure opens it; a success in between starts again", () => {
  const circuit = new Circuit();
  for (let n = 1; n < FAILURES_MAX; n += 1) circuit.failed(circuit.begin(), false);
  circuit.succeeded(circuit.begin());
  for (let n = 1; n < FAILURES_MAX; n += 1) circuit.failed(circuit.begin(), false);
  expect(circuit.state).toBe("closed");
  expect(circuit.failed(circuit.begin(), false)).toBe(true);
  expect(circuit.state).toBe("open");
});

test("half-open, it admits one request at a time, whose success closes it", () => {
  const circuit = new Circuit();
  circuit.open();
  circuit.halfOpen();
  const trial = circuit.begin();
  expect([trial.trial, circuit.admits]).toEqual([true, false]);
  circuit.succeeded(trial);
  expect([circuit.state, circuit.admits]).toEqual(["closed", true]);
});

test("one failure of a trial opens it again", () => {
  const circuit = new Circuit();
  circuit.open();
  circuit.halfOpen();
  expect(circuit.failed(circuit.begin(), false)).toBe(true);
  expect(circuit.state).toBe("open");
});

test("a trial that ends without a verdict makes room for the next", () => {
  const circuit = new Circuit();
  circuit.open();
  circuit.halfOpen();
  circuit.released(circuit.begin());
  expect([circuit.state, circuit.admits]).toEqual(["half-open", true]);
});

test("what was sent before it opened has no say in it afterwards", () => {
  const circuit = new Circuit();
  const early = [circuit.begin(), circuit.begin(), circuit.begin()] as const;
  expect(early.map((attempt) => circuit.failed(attempt, true))).toEqual([true, false, false]);
  circuit.succeeded(early[0]);
  expect(circuit.state).toBe("open");
  circuit.halfOpen();
  circuit.failed(early[1], true);
  expect(circuit.state).toBe("half-open");
});

test("whatever happens, one that is open admits none, half-open one at a time, closed all", () => {
  const step = fc.constantFrom("begin", "succeed", "fail", "release", "open", "half-open");
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const circuit = new Circuit();
      let running: Attempt[] = [];
      for (const what of steps) {
        const [attempt, ...rest] = running;
        if (what === "open") circuit.open();
        else if (what === "half-open") circuit.halfOpen();
        else if (what === "begin") running.push(...(circuit.admits ? [circuit.begin()] : []));
        else if (attempt !== undefined) {
          running = rest;
          if (what === "succeed") circuit.succeeded(attempt);
          else if (what === "fail") circuit.failed(attempt, true);
          else circuit.released(attempt);
        }
        const { state } = circuit;
        if (state === "open") running = [];
        const trials = running.filter(({ trial }) => trial).length;
        expect(circuit.admits).toBe(state === "closed" || (state === "half-open" && trials === 0));
      }
    }),
  );
});

test("a probation is over once the node has looked well for the whole time", () => {
  const probation = new Probation(5_000);
  expect(probation.isOver).toBe(true);
  probation.begin(0);
  for (const atMs of [1_000, 3_000, 5_900]) probation.looked(true, atMs);
  expect(probation.isOver).toBe(false);
  probation.looked(true, 6_000);
  expect(probation.isOver).toBe(true);
});

test("one bad look begins it anew", () => {
  const probation = new Probation(5_000);
  probation.begin(0);
  probation.looked(true, 1_000);
  probation.looked(false, 5_000);
  probation.looked(true, 6_000);
  probation.looked(true, 10_900);
  expect(probation.isOver).toBe(false);
  probation.looked(true, 11_000);
  expect(probation.isOver).toBe(true);
});

test("a node that keeps coming back and failing waits twice as long each time, up to a minute", () => {
  const probation = new Probation(5_000);
  let nowMs = 0;
  const waits: number[] = [];
  for (let n = 0; n < 6; n += 1) {
    probation.begin(nowMs);
    const startMs = nowMs;
    for (; !probation.isOver; nowMs += 1_000) probation.looked(true, nowMs);
    nowMs -= 1_000;
    waits.push(nowMs - startMs);
  }
  expect(waits).toEqual([5_000, 10_000, 20_000, 40_000, 60_000, 60_000]);
  nowMs += 60_000;
  probation.begin(nowMs);
  probation.looked(true, nowMs);
  probation.looked(true, nowMs + 5_000);
  expect(probation.isOver).toBe(true);
});

test.each([
  ["2", 2_000],
  ["0", 0],
  ["86400", 60_000],
  ["Thu, 01 Jan 1970 00:00:20 GMT", 10_000],
  ["Thu, 01 Jan 1970 00:00:05 GMT", 0],
  ["soon", 0],
  ["-1", 0],
  ["", 0],
])("`Retry-After: %s` is read, up to a minute", (text, waitMs) => {
  expect(retryAfterMs(new Headers({ "retry-after": text }), 10_000)).toBe(waitMs);
  expect(retryAfterMs(new Headers(), 10_000)).toBe(0);
});
