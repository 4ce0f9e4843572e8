/** Measures the turns of a program's event loop from inside the process, without a change of the program. */
import { existsSync, readFileSync, rmSync } from "node:fs";

import { until } from "@meridian/harness";

/** The longest turn since the last reading, in milliseconds. */
export interface LongestTurn {
  /** The time for which the main thread used a core. */
  readonly coreMs: number;
  /** The time from the turn's beginning to its end. On a busy machine it includes the time of other programs. */
  readonly wallMs: number;
  /** How much of `wallMs` V8 collected garbage. */
  readonly collectingMs: number;
}

/**
 * A timer of one millisecond is late by the length of the turn that delays it. The kernel says how long the main thread used a core
 * in between: this includes garbage collection, but no other thread and no other program. It counts up to the last tick of its own clock, four
 * milliseconds ago at most, unless a process asks for all that it has used; where it has still told too late, what exceeds a turn belongs to the one before.
 */
const PROBE = `
import { isMainThread } from "node:worker_threads";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { PerformanceObserver } from "node:perf_hooks";
if (isMainThread) {
  const coreMs = () => {
    process.cpuUsage();
    return Number(readFileSync("/proc/thread-self/schedstat", "utf8").split(" ")[0]) / 1e6;
  };
  let longest = { coreMs: 0, wallMs: 0, fromMs: 0 };
  let last = longest;
  let collections = [];
  const collected = (entries) => {
    for (const { startTime, duration } of entries) collections.push({ startTime, duration });
  };
  const observer = new PerformanceObserver((list) => collected(list.getEntries()));
  observer.observe({ entryTypes: ["gc"] });
  let [wall, core] = [performance.now(), coreMs()];
  setInterval(() => {
    const [wallNow, coreNow] = [performance.now(), coreMs()];
    const turn = { coreMs: coreNow - core, wallMs: wallNow - wall, fromMs: wall };
    const late = Math.max(0, turn.coreMs - turn.wallMs);
    last.coreMs += late;
    turn.coreMs -= late;
    for (const each of [last, turn]) if (each.coreMs > longest.coreMs) longest = { ...each };
    last = turn;
    [wall, core] = [wallNow, coreNow];
  }, 1).unref();
  process.on("SIGUSR2", () => {
    collected(observer.takeRecords());
    const { coreMs, wallMs, fromMs } = longest;
    const within = collections.filter(({ startTime }) => startTime >= fromMs && startTime < fromMs + wallMs);
    const collectingMs = within.reduce((sum, { duration }) => sum + duration, 0);
    writeFileSync(process.env.TURNS_FILE + ".new", JSON.stringify({ coreMs, wallMs, collectingMs }));
    renameSync(process.env.TURNS_FILE + ".new", process.env.TURNS_FILE);
    longest = { coreMs: 0, wallMs: 0, fromMs: 0 };
    last = { ...longest };
    collections = [];
  });
}`;

/** The beginning of a command that runs a program with the probe, which writes its measurements to `file`. */
export function probedBy(file: string): readonly string[] {
  const load = `--import=data:text/javascript,${encodeURIComponent(PROBE)}`;
  return ["env", `NODE_OPTIONS=${load}`, `TURNS_FILE=${file}`];
}

/** The longest turn since the last call. `signal` must send SIGUSR2 to the program. */
export async function longestTurn(file: string, signal: () => void): Promise<LongestTurn> {
  rmSync(file, { force: true });
  signal();
  await until("the probe has told", () => existsSync(file));
  return JSON.parse(readFileSync(file, "utf8")) as LongestTurn;
}
