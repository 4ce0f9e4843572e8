/**
 * Programs of this repository as child processes, run from source.
 *
 * None outlives the test process: what still runs when that exits is killed, and ends by itself where that was
 * killed.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { findPrograms, skewedClock, type DevPrograms } from "@meridian/cli";

import { within } from "./until.ts";

/** The folder of the repository. */
export const ROOT: string = fileURLToPath(new URL("../..", import.meta.url));

/** Run by each program before its own code. The IPC channel breaks however the test process ends. */
const END_WITH_PARENT = `data:text/javascript,${encodeURIComponent(
  'process.once("disconnect", () => process.exit(1)); process.channel?.unref();',
)}`;

const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** Each program as one file: loading its sources one by one takes five times as long. */
let found: Promise<DevPrograms> | undefined;

/** Which program to run. */
export interface ProgramOptions {
  /** For messages. */
  readonly name: string;
  readonly program: keyof DevPrograms;
  readonly args: readonly string[];
  /** A command that runs the program, such as one that puts it into a network of its own. */
  readonly launcher?: readonly string[];
  /** By how much its clock is ahead, in milliseconds; negative for behind. */
  readonly skewMs?: number;
}

/** The environment without what would configure the programs. */
export function plainEnvironment(): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: _, NOTIFY_SOCKET: __, ...env } = process.env;
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith("MERIDIAN_")));
}

/** A program that has told where it listens. */
export class Program {
  readonly name: string;
  /** What it has printed, a line each. */
  readonly lines: string[] = [];
  /** The last status that it has told of. */
  status: string | undefined;
  /** Resolves once the process is gone, to its exit code or signal. */
  readonly exited: Promise<number | NodeJS.Signals | null>;
  readonly #child: ChildProcess;
  readonly #listening: Promise<string>;
  #url = "";

  private constructor(options: ProgramOptions, { entry, execArgv }: DevPrograms["region"]) {
    this.name = options.name;
    const { skewMs = 0 } = options;
    const skew = skewMs === 0 ? [] : ["--import", skewedClock(skewMs)];
    const node = [process.execPath, ...execArgv, "--import", END_WITH_PARENT, ...skew, entry];
    const [command = "", ...args] = [...(options.launcher ?? []), ...node, ...options.args];
    const child = spawn(command, args, {
      cwd: ROOT,
      env: plainEnvironment(),
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    this.#child = child;
    running.add(child);
    this.exited = new Promise((resolve) => {
      child.once("exit", (code, signal) => {
        running.delete(child);
        resolve(signal ?? code);
      });
    });
    for (const stream of [child.stdout, child.stderr]) {
      if (stream) createInterface({ input: stream }).on("line", (line) => this.lines.push(line));
    }
    this.#listening = new Promise((resolve, reject) => {
      child.once("error", reject);
      child.on("message", (message) => this.#hear(message as Record<string, unknown>, resolve));
      // After `exit` there may still be output that says why.
      child.once("close", (code) =>
        reject(new Error(`${this.name} ended with ${code}:\n${this.tail()}`)),
      );
    });
    this.#listening.catch(() => {});
  }

  /** Starts a program. Resolves once it listens; rejects with what it printed if it ends before. */
  static async start(options: ProgramOptions): Promise<Program> {
    found ??= findPrograms();
    const program = new Program(options, (await found)[options.program]);
    try {
      program.#url = await within(`${program.name} listens`, program.#listening, 30_000);
    } catch (cause) {
      await program.kill();
      throw cause;
    }
    return program;
  }

  /** Where it is reached. */
  get url(): string {
    return this.#url;
  }

  /** The last lines that it printed. */
  tail(count = 30): string {
    return this.lines
      .slice(-count)
      .map((line) => `  [${this.name}] ${line}`)
      .join("\n");
  }

  /** Halts the process in the middle of what it does, until `resume`. */
  halt(): void {
    this.#child.kill("SIGSTOP");
  }

  /** Lets the process go on. */
  resume(): void {
    this.#child.kill("SIGCONT");
  }

  /** The memory that the process has in use, in bytes; 0 if it is gone. */
  get memoryBytes(): number {
    try {
      const status = readFileSync(`/proc/${this.#child.pid}/status`, "utf8");
      return 1024 * Number(/^VmRSS:\s*(\d+) kB/m.exec(status)?.[1] ?? 0);
    } catch {
      return 0;
    }
  }

  /** The time that the process has had on a core, in milliseconds; 0 if it is gone. */
  get cpuMs(): number {
    try {
      const stat = readFileSync(`/proc/${this.#child.pid}/stat`, "utf8");
      // The name before it may hold spaces. Linux counts in hundredths of a second.
      const [user, system] = stat.slice(stat.lastIndexOf(")")).split(" ").slice(12, 14);
      return 10 * (Number(user) + Number(system));
    } catch {
      return 0;
    }
  }

  /** Kills the process as `kill -9` does. Resolves once it is gone. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.exited;
  }

  /** Asks the process to stop. Resolves to its exit code once it is gone; kills it after 15 seconds. */
  async stop(): Promise<number | NodeJS.Signals | null> {
    this.#child.kill("SIGTERM");
    try {
      return await within(`${this.name} stops`, this.exited, 15_000);
    } finally {
      await this.kill();
    }
  }

  #hear({ type, url, status }: Record<string, unknown>, onListening: (url: string) => void): void {
    if (type === "listening" && typeof url === "string") onListening(url);
    if (type === "status" && typeof status === "string") this.status = status;
  }
}
