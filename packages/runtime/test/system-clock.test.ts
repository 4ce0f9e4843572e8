import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";

import { systemClock } from "@meridian/runtime";

const SOURCE = fileURLToPath(new URL("../src/index.ts", import.meta.url));

/** Runs a script as a process of its own and gives what it printed, once it has ended by itself. */
async function run(script: string): Promise<string> {
  const program = `import { systemClock } from ${JSON.stringify(SOURCE)};\n${script}`;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--import", "tsx", "--input-type=module", "--eval", program],
    { timeout: 15_000 },
  );
  return stdout;
}

describe("the system's clock", () => {
  it("tells the wall time, and an elapsed time that never goes back", () => {
    const before = new Date().getTime();
    expect(systemClock.nowMs()).toBeGreaterThanOrEqual(before);
    expect(Number.isInteger(systemClock.nowMs())).toBe(true);
    let last = systemClock.elapsedMs();
    for (let reading = 0; reading < 10_000; reading += 1) {
      const now = systemClock.elapsedMs();
      expect(now).toBeGreaterThanOrEqual(last);
      last = now;
    }
  });

  it("runs a callback once, and no earlier than asked", async () => {
    const start = systemClock.elapsedMs();
    let runs = 0;
    await new Promise<void>((resolve) => {
      systemClock.after(20, () => {
        runs += 1;
        resolve();
      });
    });
    // A platform timer counts whole milliseconds of a clock that was read a moment before.
    expect(systemClock.elapsedMs() - start).toBeGreaterThanOrEqual(19);
    expect(runs).toBe(1);
  });

  it("never runs what was cancelled, and takes a second cancellation", async () => {
    let ran = false;
    const cancel = systemClock.after(1, () => {
      ran = true;
    });
    cancel();
    cancel();
    await new Promise<void>((resolve) => {
      systemClock.after(10, resolve);
    });
    expect(ran).toBe(false);
  });

  it.each([2 ** 31, 1e15, Infinity])(
    "does not run a callback at once that is %d milliseconds away",
    async (delayMs) => {
      let ran = false;
      const cancel = systemClock.after(delayMs, () => {
        ran = true;
      });
      await new Promise<void>((resolve) => {
        systemClock.after(10, resolve);
      });
      cancel();
      expect(ran).toBe(false);
    },
  );

  it("does not keep the process alive", async () => {
    const script = `systemClock.after(60_000, () => console.log("late")); console.log("end");`;
    expect(await run(script)).toBe("end\n");
  });

  it("runs what is due while something else keeps the process alive", async () => {
    const script = `const alive = setInterval(() => {}, 1_000);
      systemClock.after(5, () => { console.log("due"); clearInterval(alive); });`;
    expect(await run(script)).toBe("due\n");
  });
});
