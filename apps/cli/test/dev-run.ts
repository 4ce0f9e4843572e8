/** Runs `meridian dev` as a process with children, which are gone when the test is over. */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { bundleSource } from "@meridian/source-bundle";
import { expect, onTestFinished } from "vitest";

import { portIsFree } from "../src/dev/ports.ts";

const bundled = (file: URL): Promise<string> => bundleSource(fileURLToPath(file));
const DRIVER = await bundled(new URL("./fixtures/dev-driver.ts", import.meta.url));
const CHILD = await bundled(new URL("./fixtures/child.ts", import.meta.url));

/** A run of `meridian dev`. */
export interface Run {
  readonly parent: ChildProcess;
  /** Everything written so far. */
  readonly text: () => string;
  readonly stdout: () => string;
  /** Resolves once the text matches. */
  readonly says: (pattern: RegExp) => Promise<void>;
  /** Resolves once the process and its pipes are gone. */
  readonly ended: Promise<number | null>;
}

/** The path of a temporary folder. */
export function temporary(): string {
  const path = mkdtempSync(join(tmpdir(), "meridian-dev-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** Where the system takes no port from for those that ask for any, so that none is taken between looking and listening. */
const PORTS = { first: 10_000, count: 20_000 } as const;
let asked = 0;

/** A port that is free with the three after it, the last for the playground, and that nobody else in this run is given. */
export async function freePort(count = 4): Promise<number> {
  for (let turn = 0; turn < 100; turn += 1) {
    // Runs side by side begin far from each other.
    const offset = (process.pid * 97 + asked) % PORTS.count;
    asked += count;
    const port = PORTS.first + offset;
    const all = Array.from({ length: count }, (_, index) => port + index);
    const free = await Promise.all(all.map(portIsFree));
    if (!free.includes(false)) return port;
  }
  return expect.fail("no free ports");
}

/** Starts a run with two regions and free ports, if `options` do not say otherwise. With an empty `TEST_PROGRAM` it runs the real programs. */
export async function start(options: object, env: Record<string, string> = {}): Promise<Run> {
  const given = { port: String(await freePort()), regions: "2", ...options };
  const parent = spawn(
    process.execPath,
    ["--conditions=@meridian/source", DRIVER, JSON.stringify(given)],
    { env: { ...process.env, TEST_PROGRAM: CHILD, ...env }, stdio: ["ignore", "pipe", "pipe"] },
  );
  let [text, stdout] = ["", ""];
  const waiting = new Set<() => void>();
  const hear = (data: Buffer): void => {
    text += data.toString();
    for (const look of waiting) look();
  };
  parent.stdout.on("data", (data: Buffer) => {
    stdout += data.toString();
    hear(data);
  });
  parent.stderr.on("data", hear);
  const ended = new Promise<number | null>((resolve) => parent.once("close", resolve));
  const says = (pattern: RegExp): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (!pattern.test(text)) return;
        waiting.delete(look);
        resolve();
      };
      waiting.add(look);
      void ended.then(() => reject(new Error(`Ended without saying ${String(pattern)}:\n${text}`)));
      look();
    });
  onTestFinished(async () => {
    parent.kill("SIGKILL");
    await ended;
  });
  return { parent, text: () => text, stdout: () => stdout, says, ended };
}

/** The process numbers of the programs that a run has started and that live. */
export function programsOf({ parent }: Run): number[] {
  // The bundler is a child, too, for a while.
  return childrenOf(parent.pid, "--data=");
}

/** The process numbers of the children of a process that live and whose command has a text in it. */
export function childrenOf(pid: number | undefined, text: string): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
  const all = children.split(" ").filter(Boolean).map(Number);
  return all.filter((child) => lives(child) && commandOf(child).includes(text));
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
}

/** Whether a process runs. */
export function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");
  } catch {
    return false;
  }
}

/** Resolves once all these processes are gone. */
export async function untilGone(all: readonly number[]): Promise<void> {
  // Those that should have ended do not outlive the test.
  onTestFinished(() => {
    for (const pid of all.filter(lives)) process.kill(pid, "SIGKILL");
  });
  for (let turn = 0; turn < 2_000 && all.some(lives); turn += 1) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  expect(all.filter(lives)).toEqual([]);
}
