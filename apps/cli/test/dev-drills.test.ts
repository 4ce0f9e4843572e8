/** Drills on a development cluster: what they break and put right, and what a page is told meanwhile. */
import { seededRandom } from "@meridian/runtime";
import { ManualClock } from "@meridian/testkit";
import { expect, test } from "vitest";

import { Drills, type DrillState } from "../playground/drills.ts";
import type { DrillReport } from "../src/drill/drill-report.ts";
import type { GuestDrill } from "../src/drill/run-drills.ts";

type Run = NonNullable<ConstructorParameters<typeof Drills>[0]["run"]>;
type Load = Parameters<NonNullable<GuestDrill["onPhase"]>>[1];

const COUNTS = { acknowledged: 5, deletes: 1, reads: 7, refused: 0, unanswered: 2 };
const REPORT: DrillReport = {
  drill: "cut",
  story: "",
  seed: 1,
  seconds: 8,
  counts: COUNTS,
  convergence: { ms: 1_230, entries: 12, failure: null },
  notes: [],
  violations: [],
  passed: true,
};

function loadOf(violations: readonly string[] = []): Load {
  return { counts: () => COUNTS, violations } as unknown as Load;
}

/** Drills over a run that the test makes up, with everything that was done and told. */
function drillsOf(run: Run) {
  const done: string[] = [];
  const told: (DrillState | null)[] = [];
  const clock = new ManualClock();
  let over = (): void => {};
  const ended = new Promise<void>((resolve) => {
    over = resolve;
  });
  const drills: Drills = new Drills({
    directoryUrl: "http://127.0.0.1:1",
    directoryName: "main",
    regions: [{ id: "oslo", lat: 0, lon: 0, url: "", lines: [] }],
    signal: (name, signal) => void done.push(`${signal} ${name}`),
    cuts: {
      cut: (id) => void done.push(`cut ${id}`),
      heal: (id) => void done.push(`heal ${id}`),
      healAll: () => void done.push("heal all"),
    },
    clock,
    random: seededRandom(1),
    onChange: () => {
      told.push(drills.state);
      if (drills.state?.phase === "over") over();
    },
    run,
  });
  return { drills, done, told, clock, ended };
}

test.each([
  ["steady", []],
  ["cut", ["cut oslo", "heal oslo"]],
  ["kill-region", ["SIGKILL oslo"]],
  ["kill-directory", ["SIGKILL main"]],
  ["pause-directory", ["SIGSTOP main", "SIGCONT main"]],
])("the drill %s puts right what it breaks, also when it is stopped", async (name, expected) => {
  for (const holds of [() => Promise.resolve(), () => Promise.reject(new Error("stopped"))]) {
    const { drills, done, ended } = drillsOf(async (_, __, guest) => {
      await guest?.disturb?.(holds);
      return REPORT;
    });
    drills.start(name);
    await ended;
    // What somebody has cut would keep the regions from agreeing.
    expect(done).toEqual(["heal all", ...expected]);
  }
});

test("promises stay open until the end, break as soon as one is seen broken, and are kept otherwise", async () => {
  const { drills, told, clock, ended } = drillsOf(async (_, __, guest) => {
    guest?.onPhase?.("load", loadOf());
    guest?.onPhase?.("fault", loadOf(["monotonic reads, at oslo: k went back"]));
    return { ...REPORT, violations: ["monotonic reads, at oslo: k went back"], passed: false };
  });
  drills.start("cut");
  await ended;
  const states = told.map((state) => state?.promises.map((promise) => promise.state).join(" "));
  expect(states[1]).toBe("open open open open");
  expect(states[2]).toBe("open broken open open");
  expect(states.at(-1)).toBe("kept broken kept kept");
  expect(told.at(-1)).toMatchObject({
    counts: COUNTS,
    violations: ["monotonic reads, at oslo: k went back"],
    outcome:
      "Failed: together again 1.23 s after it was put right; everyone holds the same 12 entries.",
  });
  expect(clock.timers).toBe(0);
});

test("those who never came to hold the same have broken that promise", async () => {
  const convergence = { ms: null, entries: 0, failure: "3 keys differ" };
  const { drills, told, ended } = drillsOf(async () => ({ ...REPORT, convergence, passed: false }));
  drills.start("cut");
  await ended;
  expect(told.at(-1)?.promises.at(-1)?.state).toBe("broken");
  expect(told.at(-1)?.outcome).toBe("Failed: 3 keys differ");
});

test("one runs at a time, a page is told of it twice a second, and it can be stopped", async () => {
  const { drills, told, clock, ended } = drillsOf((_, { stopped }) => {
    return new Promise((__, reject) => {
      stopped.addEventListener("abort", () => reject(stopped.reason as Error));
    });
  });
  expect(() => drills.start("flood")).toThrow("Expected a drill out of `steady`, `cut`");
  drills.start("steady");
  expect(() => drills.start("steady")).toThrow("one drill at a time");
  const before = told.length;
  clock.advance(2_000);
  expect(told.length - before).toBe(4);
  await drills.stop();
  await ended;
  expect(told.at(-1)).toMatchObject({ phase: "over", outcome: "It was stopped." });
  drills.start("steady");
  await drills.stop();
});
