/** Runs seeds in several processes. */
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";

import { bundleSource } from "@meridian/source-bundle";

import type { Circumstance } from "./rules/circumstances.ts";
import type { Faults } from "./scenario.ts";

/** A run of seeds. */
export interface Job {
  readonly first: number;
  readonly count: number;
  /** How many directories there are. Default: 1. */
  readonly directories?: number;
  /** Which faults there are. Default: those of the seed, where the log is. */
  readonly faults?: Faults;
  /** Whether the log is in a stream. Default: it is not. */
  readonly isOverStream?: boolean;
  /** What happens more often than usual. */
  readonly circumstance?: Circumstance;
  /** Which rule is switched off; undefined for none. */
  readonly rule?: string;
}

/** The result of a job. */
export interface JobResult {
  readonly job: Job;
  readonly acknowledged: number;
  readonly failed: readonly { readonly seed: number; readonly violations: readonly string[] }[];
}

/** Runs the jobs that `next` returns in several processes, until it returns none, and reports each result. Rejects if a process dies. */
export async function runJobs(
  processes: number,
  next: () => Job | undefined,
  onResult: (result: JobResult) => void,
): Promise<void> {
  // A bundle runs faster than the modules of a TypeScript loader, which gives each function its name when it is made.
  const worker = await bundleSource(fileURLToPath(new URL("farm-worker.ts", import.meta.url)));
  await Promise.all(
    Array.from(
      { length: processes },
      () =>
        new Promise<void>((resolve, reject) => {
          const first = next();
          if (first === undefined) return resolve();
          const child = fork(worker, { execArgv: [] });
          child.on("message", (result) => {
            onResult(result as JobResult);
            const job = next();
            if (job === undefined) child.disconnect();
            else child.send(job);
          });
          child.on("exit", (code, signal) => {
            if (code === 0) resolve();
            else reject(new Error(`Expected a worker to end with 0, got ${code ?? signal}`));
          });
          child.send(first);
        }),
    ),
  );
}
