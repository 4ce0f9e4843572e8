/** Measures the turns of the event loop of a program from within, without a change to the program. */
import { existsSync, readFileSync, rmSync } from "node:fs";

import { until } from "@meridian/harness";

/** The longest turn since the last reading, in milliseconds. */
export interface LongestTurn {
  /** From its begin to its end. On a busy machine, that counts other programs, too. */
  readonly wallMs: number;
  /** What the main thread was on a core meanwhile. */
  readonly coreMs: number;
}

/**
 * A timer that rings each millisecond is late by as much as the turn that keeps it waiting. The kernel tells what the thread has had of a core
 * in between: garbage collection included, other threads and other programs not.
 */
const PROBE = `
import { isMainThread } from "node:worker_threads";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
if (isMainThread) {
  const coreMs = () => Number(readFileSync("/proc/thread-self/schedstat", "utf8").split(" ")[0]) / 1e6;
  let [wall, core, most] = [performance.now(), coreMs(), { wallMs: 0, coreMs: 0 }];
  setInterval(() => {
    const [wallNow, coreNow] = [performance.now(), coreMs()];
    most.wallMs = Math.max(most.wallMs, wallNow - wall - 1);
    most.coreMs = Math.max(most.coreMs, coreNow - core);
    [wall, core] = [wallNow, coreNow];
  }, 1).unref();
  process.on("SIGUSR2", () => {
    writeFileSync(process.env.TURNS_FILE + ".new", JSON.stringify(most));
    renameSync(process.env.TURNS_FILE + ".new", process.env.TURNS_FILE);
    most = { wallMs: 0, coreMs: 0 };
  });
}`;

/** A command that runs a program with the probe in it, which tells `file` what it has measured. */
export function probedBy(file: string): readonly string[] {
  const load = `--import=data:text/javascript,${encodeURIComponent(PROBE)}`;
  return ["env", `NODE_OPTIONS=${load}`, `TURNS_FILE=${file}`];
}

/** What the probe has measured since it was last asked. `signal` sends the program SIGUSR2. */
export async function longestTurn(file: string, signal: () => void): Promise<LongestTurn> {
  rmSync(file, { force: true });
  signal();
  await until("the probe has told", () => existsSync(file));
  return JSON.parse(readFileSync(file, "utf8")) as LongestTurn;
}
