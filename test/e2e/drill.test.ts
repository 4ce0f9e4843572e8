/** `meridian drill` as its user runs it. */
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { describe, expect, it, onTestFinished } from "vitest";
import { plainEnvironment } from "@meridian/supervision";
import { ROOT, startCluster, until, within } from "@meridian/harness";

interface Run {
  readonly text: () => string;
  readonly signal: (name: NodeJS.Signals) => void;
  /** Resolves to the exit code. */
  readonly ended: Promise<number | null>;
  /** Where its clusters keep their files. */
  readonly folder: string;
}

function drill(...args: string[]): Run {
  const folder = mkdtempSync(join(tmpdir(), "meridian-drills-"));
  const meridian = ["packages/source-bundle/run.js", "apps/cli/src/main.ts"];
  const argv = ["--conditions=@meridian/source", ...meridian, "drill", "run", ...args];
  const env = { ...plainEnvironment(process.env), TMPDIR: folder };
  const child = spawn(process.execPath, argv, { cwd: ROOT, env });
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await ended;
    rmSync(folder, { recursive: true, force: true });
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (data: Buffer) => (text += data.toString()));
  }
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  return { text: () => text, signal: (name) => void child.kill(name), ended, folder };
}

/** The command lines of all processes in which `text` occurs. */
function processesWith(text: string): string[] {
  return readdirSync("/proc").flatMap((pid) => {
    try {
      const line = readFileSync(`/proc/${pid}/cmdline`, "utf8");
      return /^\d+$/.test(pid) && line.includes(text) ? [line] : [];
    } catch {
      return [];
    }
  });
}

function expectNothingOf({ folder }: Run): void {
  expect(readdirSync(folder).filter((name) => name.startsWith("meridian"))).toEqual([]);
  expect(processesWith(folder)).toEqual([]);
}

describe("meridian drill", () => {
  it("breaks a link, a region, a directory of two and the horizon under load, finds every promise kept, and leaves nothing behind", async () => {
    const names = ["cut", "kill-region", "kill-first-directory", "horizon"];
    const run = drill(...names, "--seconds=2", "--rate=40", "--regions=2", "--json");
    const exitCode = await within("the drills end", run.ended, 110_000);
    const { drills } = JSON.parse(run.text().split("\n").at(-2) ?? "");
    expect(drills).toMatchObject(
      names.map((name) => ({ drill: name, violations: [], passed: true })),
    );
    for (const { counts, convergence } of drills) {
      expect(counts.acknowledged).toBeGreaterThan(10);
      expect(counts.reads).toBeGreaterThan(10);
      expect(convergence.entries).toBeGreaterThan(5);
    }
    const notes = drills.flatMap((each: { notes: readonly string[] }) => each.notes).join("; ");
    expect(notes).toMatch(/at the second directory after .* back at the first after /);
    expect(notes).toMatch(/away for .* s; \d\d+ entries are in quarantine/);
    expect(exitCode).toBe(0);
    expectNothingOf(run);
  });

  it("ends with all of its programs when it is interrupted", async () => {
    const run = drill("pause-region", "--seconds=600", "--regions=2");
    await until("three programs run", () => processesWith(run.folder).length === 3);
    run.signal("SIGINT");
    expect(await within("it ends", run.ended, 30_000)).toBe(1);
    expect(run.text()).toContain("ended by SIGINT");
    expectNothingOf(run);
  });

  it("loads and checks a cluster that runs already, and takes along what it wrote", async () => {
    const cluster = await startCluster();
    const run = drill(`--against=${cluster.directoryUrl}`, "--seconds=2", "--rate=100");
    expect(await within("it ends", run.ended, 60_000)).toBe(0);
    expect(run.text()).toMatch(/^steady +\d+ +\d+ +[\d.]+ s +0 +passed$/m);
    const [region] = cluster.regions;
    const answer = await fetch(`${region?.url}/keys`);
    expect(await answer.json()).toEqual({ keys: [], next: null });
  });
});
