/**
 * How long `npm run dev` takes from being typed to a cluster that is ready: five regions and a directory, on empty
 * data, stopped as by Ctrl-C after each time. The median of five.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { plainEnvironment } from "@meridian/supervision";
import { ROOT, until, within } from "@meridian/harness";

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

/** Starts the cluster, stops it, and returns the milliseconds until it was ready. */
async function startOnce(): Promise<number> {
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
  const ready = new Promise<number>((resolve, reject) => {
    const onLine = (line: string): void => {
      printed.push(line);
      if (READY.test(line)) resolve(performance.now() - startedAtMs);
    };
    for (const input of [child.stdout, child.stderr]) createInterface({ input }).on("line", onLine);
    child.once("exit", () => reject(new Error(`Expected a cluster, got\n${printed.join("\n")}`)));
  });
  try {
    const readyMs = await within("the cluster is ready", ready, 60_000);
    process.kill(-pid, "SIGINT");
    await within("the cluster stops", exited, 30_000);
    await until("no process is left", () => !groupLives(pid));
    return readyMs;
  } finally {
    killGroup();
    process.off("exit", killGroup);
    rmSync(data, { recursive: true, force: true });
  }
}

const times: number[] = [];
for (let round = 1; round <= ROUNDS; round += 1) {
  const readyMs = await startOnce();
  times.push(readyMs);
  console.log(`${round}: ready after ${(readyMs / 1_000).toFixed(2)} s`);
}
const median = times.toSorted((a, b) => a - b)[Math.floor(ROUNDS / 2)] ?? NaN;
console.log(`median: ${(median / 1_000).toFixed(2)} s`);
