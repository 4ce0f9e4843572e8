/**
 * Runs one of Meridian's programs as a child process; `runServer` is the counterpart in the child. The child sends its URL and its status
 * over the IPC channel, and exits when the channel breaks. So it does not outlive this process, however this process
 * ends.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, openSync } from "node:fs";

import { systemClock } from "@meridian/runtime";

import { LineSplitter } from "./line-splitter.ts";

/** A program that Node.js runs. */
export interface NodeProgram {
  /** The file that Node.js is given. */
  readonly entry: string;
  /** Arguments of Node.js itself, before the entry. */
  readonly execArgv: readonly string[];
}

/** The command that runs a program; `imports` are modules that are loaded before it. */
export function commandOf(
  { entry, execArgv }: NodeProgram,
  args: readonly string[],
  imports: readonly string[] = [],
): readonly string[] {
  const preloads = imports.flatMap((module) => ["--import", module]);
  return [process.execPath, ...execArgv, ...preloads, entry, ...args];
}

/** An environment without the variables that configure Meridian's programs, which refuse unknown ones. */
export function plainEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: _, NOTIFY_SOCKET: __, ...others } = env;
  return Object.fromEntries(
    Object.entries(others).filter(([name]) => !name.startsWith("MERIDIAN_")),
  );
}

/** How a process is started. */
export interface ManagedProcessOptions {
  /** The name of the process in messages. */
  readonly name: string;
  /** The program and its arguments. */
  readonly command: readonly string[];
  /** The environment. `plainEnvironment` is applied to it. */
  readonly env: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** A function that takes each line of the process's output, or a file to which all output is appended. */
  readonly output: ((line: string) => void) | { readonly file: string };
  /** Takes each message that the program sends. */
  readonly onMessage?: (message: Readonly<Record<string, unknown>>) => void;
}

/** How a process has ended. */
export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** In words: `exit code 1`, `signal SIGKILL`, or why it could not be started. */
  readonly how: string;
}

const START_MS = 30_000;
const STOP_MS = 15_000;

const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** A child process. The constructor starts it. */
export class ManagedProcess {
  readonly name: string;
  /** Resolves once the process has ended. */
  readonly exited: Promise<ProcessEnd>;
  readonly #child: ChildProcess;
  readonly #listening: Promise<string>;
  #url = "";
  #status: string | undefined;

  constructor(options: ManagedProcessOptions) {
    const { name, output, onMessage } = options;
    this.name = name;
    const child = spawned(options);
    this.#child = child;
    running.add(child);
    if (typeof output === "function") forwardLines(child, output);
    this.exited = new Promise((resolve) => {
      // A process that cannot be started has no exit; one that can may still report errors of its channel.
      child.on("error", ({ message }) => {
        if (child.pid === undefined) resolve({ code: null, signal: null, how: message });
      });
      child.once("exit", (code, signal) => {
        const how = signal === null ? `exit code ${code ?? "none"}` : `signal ${signal}`;
        resolve({ code, signal, how });
      });
    });
    void this.exited.then(() => running.delete(child));
    this.#listening = new Promise((resolve, reject) => {
      child.on("message", (message: unknown) => {
        if (typeof message !== "object" || message === null) return;
        this.#hear({ ...message }, resolve);
        onMessage?.({ ...message });
      });
      const fail = ({ how }: ProcessEnd): void =>
        reject(new Error(`Expected ${name} to listen, but it ended (${how})`));
      // After the exit there may still be output that says why the process ended.
      child.once("close", () => void this.exited.then(fail));
    });
    this.#listening.catch(() => {});
  }

  /** The process id; undefined if the process could not be started. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Whether it has not ended yet. */
  get isRunning(): boolean {
    return running.has(this.#child);
  }

  /** The URL at which the program listens, also while it stands by; empty before. */
  get url(): string {
    return this.#url;
  }

  /** The last status that the program has sent. */
  get status(): string | undefined {
    return this.#status;
  }

  /** Resolves to the program's URL once it listens. Rejects if the process ends before, or takes longer than `patienceMs`; it is then killed. */
  async listens(patienceMs: number = START_MS): Promise<string> {
    let late = false;
    const cancel = systemClock.after(patienceMs, () => {
      late = true;
      this.signal("SIGKILL");
    });
    try {
      return await this.#listening;
    } catch (cause) {
      if (!late) throw cause;
      throw new Error(`Expected ${this.name} to listen within ${patienceMs} ms`, { cause });
    } finally {
      cancel();
    }
  }

  /** Sends SIGTERM; after `graceMs`, calls `onLate` and sends SIGKILL. Resolves once the process has ended. */
  async stop(graceMs: number = STOP_MS, onLate?: () => void): Promise<ProcessEnd> {
    this.signal("SIGTERM");
    const cancel = systemClock.after(graceMs, () => {
      onLate?.();
      this.signal("SIGKILL");
    });
    const end = await this.exited;
    cancel();
    return end;
  }

  /** Sends SIGKILL. Resolves once the process has ended. */
  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.exited;
  }

  /** Stops the process (SIGSTOP) until `resume`. */
  halt(): void {
    this.signal("SIGSTOP");
  }

  /** Continues a stopped process (SIGCONT). */
  resume(): void {
    this.signal("SIGCONT");
  }

  /** Sends a signal, if the process still runs. */
  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  #hear({ type, url, status }: Record<string, unknown>, listening: (url: string) => void): void {
    if (type === "status" && typeof status === "string") {
      this.#status = status;
      if (typeof url === "string") this.#url = url;
    }
    if (type !== "listening" || typeof url !== "string") return;
    this.#url = url;
    listening(url);
  }
}

function spawned({ command, env, cwd, output }: ManagedProcessOptions): ChildProcess {
  const [file = "", ...args] = command;
  const log = typeof output === "function" ? "pipe" : openSync(output.file, "a");
  try {
    return spawn(file, args, {
      stdio: ["ignore", log, log, "ipc"],
      // In a process group of its own the child does not get Ctrl-C; this process stops it in order.
      detached: true,
      env: plainEnvironment(env),
      cwd,
    });
  } finally {
    if (typeof log === "number") closeSync(log);
  }
}

function forwardLines(child: ChildProcess, onLine: (line: string) => void): void {
  for (const stream of [child.stdout, child.stderr]) {
    const lines = new LineSplitter(onLine);
    stream?.setEncoding("utf8");
    stream?.on("data", (text: string) => lines.push(text));
    stream?.once("end", () => lines.end());
  }
}
