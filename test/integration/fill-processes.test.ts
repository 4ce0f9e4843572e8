/** `getOrSet` in three processes that use one region. */
import { spawn, type ChildProcessByStdio } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";

import { ROOT, startBothPrograms } from "@meridian/harness";
import { bundleSource } from "@meridian/source-bundle";
import { afterAll, expect, it } from "vitest";

const CALLERS = 334;
/** A loader that is killed holds its lease for so long. */
const LEASE_MS = 6_000;

class Filler {
  readonly child: ChildProcessByStdio<Writable, Readable, null>;
  readonly said: string[] = [];
  #waiting: (() => void)[] = [];

  constructor(program: string, region: string) {
    this.child = spawn(process.execPath, [program, region, `${CALLERS}`, `${LEASE_MS}`], {
      stdio: ["pipe", "pipe", "inherit"],
      cwd: ROOT,
    });
    this.child.stdin.on("error", () => {});
    createInterface({ input: this.child.stdout }).on("line", (line) => {
      this.said.push(line);
      for (const wake of this.#waiting.splice(0)) wake();
    });
  }

  tell(line: string): void {
    this.child.stdin.write(`${line}\n`);
  }

  /** The first line that begins so. */
  async hear(start: string): Promise<string> {
    for (;;) {
      const line = this.said.find((each) => each.startsWith(start));
      if (line !== undefined) return line;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }
}

const program = await bundleSource(join(ROOT, "test/support/fill-process.ts"));
const programs = await startBothPrograms();
const fillers = Array.from({ length: 3 }, () => new Filler(program, programs.region));
afterAll(async () => {
  for (const { child } of fillers) child.kill("SIGKILL");
  await programs.stop();
});

/** The process whose loader is called first. */
function loaderOf(key: string, among: readonly Filler[]): Promise<Filler> {
  return Promise.race(
    among.map(async (filler) => {
      await filler.hear(`load ${key}`);
      return filler;
    }),
  );
}

it("the loader's process is killed: another one loads once the lease is over, and all others get its value", async () => {
  await Promise.all(fillers.map((filler) => filler.hear("ready")));
  for (const filler of fillers) filler.tell("fill orphan");
  const first = await loaderOf("orphan", fillers);
  first.child.kill("SIGKILL");
  const left = fillers.filter((filler) => filler !== first);
  const second = await loaderOf("orphan", left);
  for (const filler of left) filler.tell("go");
  const filled = await Promise.all(left.map((filler) => filler.hear("filled orphan")));
  expect(filled).toEqual(left.map(() => `filled orphan ${second.child.pid}`));
  const loads = left.flatMap(({ said }) => said.filter((line) => line === "load orphan"));
  expect(loads).toHaveLength(1);
});

it("of a thousand callers in three processes, one loads", async () => {
  const dead = fillers.findIndex(({ child }) => child.killed);
  fillers.splice(dead, 1, new Filler(program, programs.region));
  await Promise.all(fillers.map((filler) => filler.hear("ready")));
  for (const filler of fillers) filler.tell("fill hot");
  const loading = await loaderOf("hot", fillers);
  for (const filler of fillers) filler.tell("go");
  const filled = await Promise.all(fillers.map((filler) => filler.hear("filled hot")));
  expect(filled).toEqual(fillers.map(() => `filled hot ${loading.child.pid}`));
  const loads = fillers.flatMap(({ said }) => said.filter((line) => line === "load hot"));
  expect(loads).toHaveLength(1);
});
