/** A program that is started again when it dies. */
import { spawn, type ChildProcess } from "node:child_process";

import { Backoff, type Random } from "@meridian/runtime";

import { LineSplitter } from "./log-lines.ts";
import type { Program } from "./programs.ts";

/** What to run and whom to tell. */
export interface ChildOptions {
  readonly name: string;
  readonly program: Program;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly random: Random;
  /** A line that the program wrote. */
  readonly onLine: (line: string) => void;
  /** A line about the program. */
  readonly onNews: (line: string) => void;
  /** What the program sends its parent. */
  readonly onMessage: (message: Readonly<Record<string, unknown>>) => void;
  /** It cannot be kept running: it refuses its configuration, or has never come to listen. */
  readonly onGivenUp: (reason: string) => void;
  /** How long it may take to stop before it is killed, in milliseconds. */
  readonly graceMs: number;
}

/** How many times it may die, one after the other, before it has listened once. */
const EARLY_DEATHS_MAX = 5;
/** The exit code of a program that refuses its configuration: trying again would not help. */
const EXIT_INVALID_CONFIG = 2;
/** Once it has run for this long, the next death is not counted as one of a series. */
const STEADY_MS = 10_000;

/** Runs one program, again and again, until it is stopped. */
export class SupervisedChild {
  readonly #options: ChildOptions;
  readonly #pauses: Backoff;
  #child: ChildProcess | undefined;
  #restart: NodeJS.Timeout | undefined;
  #stopping = false;
  #listened = false;
  #earlyDeaths = 0;
  #startedMs = 0;

  constructor(options: ChildOptions) {
    this.#options = options;
    this.#pauses = new Backoff({ random: options.random, firstMs: 200, maxMs: 10_000 });
  }

  /** The number of the process that runs now. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  start(): void {
    const { program, args, env, onMessage } = this.#options;
    this.#startedMs = performance.now();
    const child = spawn(process.execPath, [...program.execArgv, program.entry, ...args], {
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      // A group of its own: Ctrl-C reaches the parent only, which stops the programs in order.
      detached: true,
      env,
    });
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) this.#forward(stream);
    child.on("message", (message: unknown) => {
      if (typeof message !== "object" || message === null) return;
      if ("type" in message && message.type === "listening") this.#listened = true;
      onMessage({ ...message });
    });
    // A process that cannot be spawned has no exit; one that can may still report errors of its channel.
    child.once("error", (error) => {
      if (child.pid === undefined) this.#onExit(error.message, undefined);
      else this.#options.onNews(`${this.#options.name}: ${error.message}`);
    });
    child.once("exit", (code, signal) => {
      this.#onExit(signal === null ? `exit code ${code ?? "none"}` : `signal ${signal}`, code);
    });
  }

  /** Stops it in order: SIGTERM, and SIGKILL when the grace is over. Resolves once it is gone. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#restart);
    const child = this.#child;
    if (child === undefined) return;
    const { name, graceMs, onNews } = this.#options;
    const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    child.kill("SIGTERM");
    const late = setTimeout(() => {
      onNews(`${name} has not stopped within ${graceMs} ms and is killed`);
      child.kill("SIGKILL");
    }, graceMs);
    await gone;
    clearTimeout(late);
  }

  /** Ends it now. */
  kill(): void {
    this.#stopping = true;
    clearTimeout(this.#restart);
    this.#child?.kill("SIGKILL");
  }

  #forward(stream: NodeJS.ReadableStream | null): void {
    const lines = new LineSplitter(this.#options.onLine);
    stream?.setEncoding("utf8");
    stream?.on("data", (text: string) => lines.push(text));
    stream?.once("end", () => lines.end());
  }

  #onExit(how: string, code: number | null | undefined): void {
    this.#child = undefined;
    if (this.#stopping) return;
    const { name, onNews, onGivenUp } = this.#options;
    if (code === EXIT_INVALID_CONFIG) {
      onGivenUp(`${name} refuses its configuration (${how}); its log says why`);
      return;
    }
    this.#earlyDeaths = this.#listened ? 0 : this.#earlyDeaths + 1;
    if (this.#earlyDeaths >= EARLY_DEATHS_MAX) {
      onGivenUp(`${name} ended ${this.#earlyDeaths} times before it listened (${how})`);
      return;
    }
    if (performance.now() - this.#startedMs > STEADY_MS) this.#pauses.reset();
    const pauseMs = Math.round(this.#pauses.nextMs());
    onNews(`${name} ended (${how}); it is started again in ${pauseMs} ms`);
    this.#restart = setTimeout(() => this.start(), pauseMs);
  }
}
