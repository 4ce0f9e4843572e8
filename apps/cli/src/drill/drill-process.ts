/** One program of a drill's cluster: started, stopped, killed and held up as the drill says, and never by itself. */
import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, openSync } from "node:fs";

import { MeridianError } from "@meridian/protocol";

import type { Program } from "../dev/programs.ts";

/** Which program, and how. */
export interface DrillProcessOptions {
  readonly name: string;
  readonly program: Program;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What it prints is appended to this file. */
  readonly logPath: string;
  /** It ended although nobody had it end. */
  readonly onLost: (how: string) => void;
}

/** How long it may take to start, and to stop before it is killed. */
const START_MS = 30_000;
const STOP_MS = 15_000;

/** Runs it in one process at a time. */
export class DrillProcess {
  readonly #options: DrillProcessOptions;
  #child: ChildProcess | undefined;
  #url: string | undefined;
  #ending = false;

  constructor(options: DrillProcessOptions) {
    this.#options = options;
  }

  /** Where it is reached; undefined while it does not run. */
  get url(): string | undefined {
    return this.#url;
  }

  /** Starts it; resolves once it listens, to where. `imports` are loaded before the program. */
  async start(imports: readonly string[] = []): Promise<string> {
    const { name, program, args, env, logPath } = this.#options;
    const log = openSync(logPath, "a");
    const preloads = imports.flatMap((module) => ["--import", module]);
    const argv = [...program.execArgv, ...preloads, program.entry, ...args];
    const child = spawn(process.execPath, argv, {
      stdio: ["ignore", log, log, "ipc"],
      // A group of its own: Ctrl-C is for the drill, which ends its programs itself.
      detached: true,
      env,
    });
    closeSync(log);
    this.#child = child;
    this.#ending = false;
    return new Promise((resolve, reject) => {
      const fail = (how: string): void => {
        const said = `Expected ${name} to listen, but it ${how}; its log is ${logPath}`;
        reject(new MeridianError("INTERNAL", said));
      };
      const late = setTimeout(() => fail("takes too long"), START_MS);
      child.once("error", (cause) => fail(`failed (${cause.message})`));
      child.once("exit", (code, signal) => {
        clearTimeout(late);
        this.#gone(child, signal ?? `exit code ${code ?? "none"}`);
        fail(`ended (${signal ?? code ?? "none"})`);
      });
      child.on("message", (message: { readonly type?: unknown; readonly url?: unknown }) => {
        if (message.type !== "listening" || typeof message.url !== "string") return;
        clearTimeout(late);
        this.#url = message.url;
        resolve(message.url);
      });
    });
  }

  /** Asks it to stop, and resolves once it has. */
  async stop(): Promise<void> {
    const child = this.#end("SIGTERM");
    if (child === undefined) return;
    const late = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
    await gone(child);
    clearTimeout(late);
  }

  /** Kills it as `kill -9` does, and resolves once it is gone. */
  async kill(): Promise<void> {
    const child = this.#end("SIGKILL");
    if (child !== undefined) await gone(child);
  }

  /** Kills it at once, from where nothing can be waited for. */
  killNow(): void {
    this.#end("SIGKILL");
  }

  /** Holds it up in the middle of what it does. */
  hold(): void {
    this.#child?.kill("SIGSTOP");
  }

  /** Lets it go on. */
  resume(): void {
    this.#child?.kill("SIGCONT");
  }

  #end(signal: "SIGTERM" | "SIGKILL"): ChildProcess | undefined {
    this.#ending = true;
    this.#url = undefined;
    this.#child?.kill(signal);
    return this.#child;
  }

  #gone(child: ChildProcess, how: string): void {
    if (this.#child !== child) return;
    this.#child = undefined;
    this.#url = undefined;
    if (!this.#ending) this.#options.onLost(`${this.#options.name} ended by itself (${how})`);
  }
}

function gone(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => child.once("exit", () => resolve()));
}
