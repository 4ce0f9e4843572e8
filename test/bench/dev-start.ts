/**
 * How long `npm run dev` takes from being typed to a cluster that is ready: five regions and a directory, on empty
 * data, stopped as by Ctrl-C after each time. The medians of five: of the wall clock, and of the processor time of all processes.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { plainEnvironment } from "@meridian/supervision";
import { ROOT, until, within } from "@meridian/harness";

import { cpuMs } from "./peers/accounts.ts";
import { median } from "./peers/statistics.ts";

const ROUNDS = 5;
const READY = /^Ready in /;

/** Whether any process of a group lives. */
function groupLives(id: number): boolean {
  try {
    process.kill(-id, 0);
    return true;
  } catch {
    return false;
  }
}

/** The milliseconds until a cluster was ready. */
interface Start {
  readonly wallMs: number;
  readonly usedMs: number;
}

/** Starts the cluster, stops it, and returns what the start took. */
async function startOnce(): Promise<Start> {
  const data = mkdtempSync(join(tmpdir(), "meridian-dev-"));
  const startedAtMs = performance.now();
  // A group of its own, so that all of it can be told what a terminal tells on Ctrl-C.
  const child = spawn("npm", ["run", "dev", "--", `--data=${join(data, "cluster")}`], {
    cwd: ROOT,
    env: plainEnvironment(process.env),
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const { pid } = child;
  if (pid === undefined) throw new Error("Expected npm to start");
  const killGroup = (): void => {
    if (groupLives(pid)) process.kill(-pid, "SIGKILL");
  };
  process.once("exit", killGroup);
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const printed: string[] = [];
  const ready = new Promise<Start>((resolve, reject) => {
    const onLine = (line: string): void => {
      printed.push(line);
      if (!READY.test(line)) return;
      resolve({ wallMs: performance.now() - startedAtMs, usedMs: cpuMs([pid]) });
    };
    for (const input of [child.stdout, child.stderr]) createInterface({ input }).on("line", onLine);
    child.once("exit", () => reject(new Error(`Expected a cluster, got\n${printed.join("\n")}`)));
  });
  try {
    const start = await within("the cluster is ready", ready, 60_000);
    process.kill(-pid, "SIGINT");
    await within("the cluster stops", exited, 30_000);
    await until("no process is left", () => !groupLives(pid));
    return start;
  } finally {
    killGroup();
    process.off("exit", killGroup);
    rmSync(data, { recursive: true, force: true });
  }
}

const starts: Start[] = [];
const told = ({ wallMs, usedMs }: Start): string =>
  `ready after ${(wallMs / 1_000).toFixed(2)} s and ${(usedMs / 1_000).toFixed(2)} s of processors`;
for (let round = 1; round <= ROUNDS; round += 1) {
  const start = await startOnce();
  starts.push(start);
  console.log(`${round}: ${told(start)}`);
}
const wallMs = median(starts.map((start) => start.wallMs));
const usedMs = median(starts.map((start) => start.usedMs));
console.log(`median: ${told({ wallMs, usedMs })}`);
