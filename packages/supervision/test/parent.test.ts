import { describe, expect, it } from "vitest";

import { EVALUATE, Program, programOf } from "./program.ts";

const TIME_LIMIT_MS = 30_000;

/** A program that starts `child` with an IPC channel, prints its process id, and goes on. */
function parentOf(child: string): string {
  return `const { spawn } = await import("node:child_process");
    const arguments_ = ${JSON.stringify([...EVALUATE, programOf(child)])};
    const child = spawn(process.execPath, arguments_, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    child.on("message", (message) => console.log(message));
    setInterval(() => {}, 1_000);`;
}

describe("a program whose parent is killed", () => {
  it(
    "stops as it would on SIGTERM",
    async () => {
      const child = `exitWhenParentDies(clock);
        const alive = setInterval(() => {}, 1_000);
        process.once("SIGTERM", () => { console.log("stopped cleanly"); clearInterval(alive); });
        process.send("up");`;
      const parent = new Program(parentOf(child));
      await parent.prints("up");
      parent.process.kill("SIGKILL");
      await parent.ended();
      expect(parent.output).toBe("up\nstopped cleanly\n");
    },
    TIME_LIMIT_MS,
  );

  it(
    "ends after its grace even if it does not stop",
    async () => {
      const child = `exitWhenParentDies(clock, 100);
        setInterval(() => {}, 1_000);
        process.on("SIGTERM", () => console.log("asked"));
        process.on("exit", (code) => console.log("exit", code));
        process.send("up");`;
      const parent = new Program(parentOf(child));
      await parent.prints("up");
      parent.process.kill("SIGKILL");
      await parent.ended();
      expect(parent.output).toBe("up\nasked\nexit 1\n");
    },
    TIME_LIMIT_MS,
  );

  it(
    "still stops cleanly when nobody reads its output any more",
    async () => {
      // The child's output goes to its parent, and breaks with it. The test sees what the child does on stream 4.
      const child = `import { writeSync } from "node:fs";
        exitWhenParentDies(clock);
        const alive = setInterval(() => console.log("a line"), 5);
        process.once("SIGTERM", () => {
          setTimeout(() => { clearInterval(alive); writeSync(4, "stopped cleanly\\n"); }, 50);
        });
        process.on("exit", (code) => writeSync(4, "exit " + code + "\\n"));
        process.send("up");`;
      const script = parentOf(child)
        .replace(`["ignore", "inherit", "inherit", "ipc"]`, `["ignore", "pipe", "pipe", "ipc", 1]`)
        .replace("child.on(", "child.stdout.resume(); child.on(");
      const parent = new Program(script);
      await parent.prints("up");
      parent.process.kill("SIGKILL");
      await parent.ended();
      expect(parent.output).toBe("up\nstopped cleanly\nexit 0\n");
    },
    TIME_LIMIT_MS,
  );
});

describe("a program with a parent", () => {
  it(
    "is not kept alive by waiting for that parent's end",
    async () => {
      const child = `exitWhenParentDies(clock); process.send("up");
        process.on("exit", () => console.log("ended by itself"));`;
      const parent = new Program(parentOf(child));
      await parent.prints("ended by itself");
      parent.process.kill("SIGKILL");
      expect(await parent.ended()).toBe("ended by SIGKILL");
    },
    TIME_LIMIT_MS,
  );
});
