import { spawn } from "node:child_process";

/** What a suite says of the tree it runs in. A suite that was killed, or was not done in time, has not decided. */
export type Verdict = "passes" | "fails" | "has not decided";

/** How a suite is run. */
export interface SuiteRun {
  /** Arguments of Node.js. */
  readonly args: readonly string[];
  /** The tree. */
  readonly cwd: string;
  /** Once it is aborted, the suite is killed with every process that it has started in its group. */
  readonly signal: AbortSignal;
}

/** Runs a suite in a process group of its own. Resolves once the suite's own process has ended. */
export function runSuite({ args, cwd, signal }: SuiteRun): Promise<Verdict> {
  if (signal.aborted) return Promise.resolve("has not decided");
  const env = { ...process.env, CI: "1" };
  const child = spawn(process.execPath, args, { cwd, stdio: "ignore", env, detached: true });
  const killGroup = (): void => {
    if (child.pid === undefined) return;
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch {
      // No process of the group is left.
    }
  };
  // No suite outlives the hunt.
  process.once("exit", killGroup);
  signal.addEventListener("abort", killGroup, { once: true });
  return new Promise<Verdict>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => {
      if (code === null || signal.aborted) resolve("has not decided");
      else resolve(code === 0 ? "passes" : "fails");
    });
  }).finally(() => {
    // What the suite has left running would slow down the next ones.
    killGroup();
    process.off("exit", killGroup);
    signal.removeEventListener("abort", killGroup);
  });
}
