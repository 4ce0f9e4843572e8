/** Measures the turns of a program's event loop from inside the process, without a change of the program. */
import { existsSync, readFileSync, rmSync } from "node:fs";

import { until } from "@meridian/harness";

/** The longest turn since the last reading, in milliseconds. */
export interface LongestTurn {
  /** The time from the turn's beginning to its end. On a busy machine it includes the time of other programs. */
  readonly wallMs: number;
  /** The time for which the main thread used a core meanwhile. */
  readonly coreMs: number;
}

/**
 * A timer of one millisecond is late by the length of the turn that delays it. The kernel says how long the main thread used a core
 * in between: this includes garbage collection, but no other thread and no other program.
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
