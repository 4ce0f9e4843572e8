import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, expect, it, onTestFinished } from "vitest";

import { commandOf, ManagedProcess, plainEnvironment } from "../src/index.ts";

const started: ManagedProcess[] = [];

afterEach(async () => {
  await Promise.all(started.splice(0).map((each) => each.kill()));
});

const tell = (message: object): string => `process.send(${JSON.stringify(message)});`;
const LISTEN = tell({ type: "listening", url: "http://x" });
/** A script that keeps its process alive as long as the parent lives. */
const STAY = `process.on("message", () => {});`;

function run(script: string, output: string[] | { readonly file: string } = []): ManagedProcess {
  const process_ = new ManagedProcess({
    name: "program",
    command: [process.execPath, "--eval", script],
    env: { PATH: process.env["PATH"], MERIDIAN_PORT: "1", NODE_OPTIONS: "--bad" },
    output: Array.isArray(output) ? (line) => void output.push(line) : output,
  });
  started.push(process_);
  return process_;
}

it("a program reports its URL and status, and its output comes line by line", async () => {
  const lines: string[] = [];
  const status = tell({ type: "status", status: "ready" });
  const program = run(
    `console.log("a\\nb"); console.error("c"); ${status} ${LISTEN} ${STAY}`,
    lines,
  );
  expect(program.url).toBe("");
  expect(await program.listens()).toBe("http://x");
  expect([program.url, program.status, program.isRunning]).toEqual(["http://x", "ready", true]);
  expect(await program.stop()).toMatchObject({ signal: "SIGTERM", how: "signal SIGTERM" });
  expect(program.isRunning).toBe(false);
  expect(lines.toSorted()).toEqual(["a", "b", "c"]);
});

it("`listens` rejects with the reason if the program ends before", async () => {
  await expect(run("process.exit(7)").listens()).rejects.toThrow(
    "Expected program to listen, but it ended (exit code 7)",
  );
});

it("a program that takes too long to listen is killed", async () => {
  const program = run(STAY);
  await expect(program.listens(1)).rejects.toThrow("Expected program to listen within 1 ms");
  expect((await program.exited).signal).toBe("SIGKILL");
});

it("a program that ignores SIGTERM is killed after the grace", async () => {
  const program = run(`process.on("SIGTERM", () => {}); ${LISTEN} ${STAY}`);
  await program.listens();
  let late = 0;
  expect((await program.stop(1, () => (late += 1))).signal).toBe("SIGKILL");
  expect(late).toBe(1);
});

it("a command that does not exist ends at once, with the reason", async () => {
  const program = new ManagedProcess({
    name: "nothing",
    command: ["/nowhere/at-all"],
    env: {},
    output: () => {},
  });
  expect((await program.exited).how).toContain("ENOENT");
  await expect(program.listens()).rejects.toThrow("ENOENT");
});

it("the output is appended to the given file", async () => {
  const folder = mkdtempSync(join(tmpdir(), "meridian-managed-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "log");
  await run(`console.log("one")`, { file }).exited;
  await run(`console.log("two")`, { file }).exited;
  expect(readFileSync(file, "utf8")).toBe("one\ntwo\n");
});

it("a program inherits no variable that would configure it, and loads the given modules first", () => {
  const env = { PATH: "/bin", MERIDIAN_PORT: "1", NODE_OPTIONS: "x", NOTIFY_SOCKET: "y" };
  expect(plainEnvironment(env)).toEqual({ PATH: "/bin" });
  expect(commandOf({ entry: "main.js", execArgv: ["-a"] }, ["--b"], ["m"]).slice(1)).toEqual([
    "-a",
    "--import",
    "m",
    "main.js",
    "--b",
  ]);
});
