import { until } from "@meridian/local-cluster";
import { afterEach, beforeEach, expect, it, vi } from "vitest";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "performance"] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** Counts the calls of a probe that fails, and how many there have been before some time has passed. */
function failing(deadlineMs: number): { readonly calls: () => number } {
  let calls = 0;
  const probe = (): false => {
    calls += 1;
    return false;
  };
  until("it is so", probe, deadlineMs).catch(() => {});
  return { calls: () => calls };
}

it("a probe is called often at first, and twenty times a second later", async () => {
  const { calls } = failing(60_000);
  await vi.advanceTimersByTimeAsync(100);
  expect(calls()).toBeGreaterThan(5);
  await vi.advanceTimersByTimeAsync(900);
  const before = calls();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(calls() - before).toBe(200);
});

it("a probe that fails is called again, and its last failure is the cause of the error", async () => {
  const failing = until("it is so", () => Promise.reject(new Error("not yet")), 1_000);
  const failure = failing.catch((error: unknown) => error);
  await vi.advanceTimersByTimeAsync(1_100);
  expect(await failure).toMatchObject({
    message: "Expected within 1000 ms: it is so",
    cause: new Error("not yet"),
  });
});

it("what a probe has found is the result", async () => {
  const answers = [undefined, false, 0] as const;
  let at = 0;
  const found = until("it is so", () => answers[at++]);
  await vi.advanceTimersByTimeAsync(100);
  expect(await found).toBe(0);
});
