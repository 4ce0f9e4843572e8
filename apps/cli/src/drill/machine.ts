/** A machine of a drill's cluster: a program, and the folder of its data. */
import { cpSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";

import { MeridianError } from "@meridian/protocol";
import { commandOf, ManagedProcess, type NodeProgram } from "@meridian/supervision";

import type { LinkProxy } from "./link-proxy.ts";
import { skewedClock } from "./skewed-clock.ts";

/** What a machine is made of. */
export interface MachineOptions {
  readonly name: string;
  readonly program: NodeProgram;
  /** Beside where it listens and keeps its data. */
  readonly args: readonly string[];
  /** Its ways to directories, in order of preference: of a directory, to the others. */
  readonly links: readonly LinkProxy[];
  readonly env: NodeJS.ProcessEnv;
  /** Holds the data, its copy and the log. */
  readonly folder: string;
  readonly onStarted?: (url: string) => void;
  /** The program has ended although nobody had it end. */
  readonly onLost: (how: string) => void;
}

/** One machine. Its data are only to be touched while its program does not run. */
export class Machine {
  readonly name: string;
  readonly links: readonly LinkProxy[];
  readonly #options: MachineOptions;
  readonly #data: string;
  #process: ManagedProcess | undefined;

  constructor(options: MachineOptions) {
    this.#options = options;
    this.name = options.name;
    this.links = options.links;
    this.#data = join(options.folder, options.name);
    mkdirSync(this.#data, { recursive: true });
  }

  /** Where it is reached; undefined while it does not run. */
  get url(): string | undefined {
    const url = this.#process?.url ?? "";
    return url === "" ? undefined : url;
  }

  /** Starts it, with its clock ahead by `skewMs` milliseconds; resolves once it listens. */
  async start(skewMs: number = 0): Promise<void> {
    const { name, program, args, env, folder, onStarted, onLost } = this.#options;
    const file = join(folder, `${name}.log`);
    const where = ["--host=127.0.0.1", "--port=0", `--data=${this.#data}`];
    const imports = skewMs === 0 ? [] : [skewedClock(skewMs)];
    const command = commandOf(program, [...where, ...args], imports);
    const started = new ManagedProcess({ name, command, env, output: { file } });
    this.#process = started;
    void started.exited.then(({ how }) => {
      // Whoever ends it lets go of it first.
      if (this.#process !== started) return;
      this.#process = undefined;
      onLost(`${name} ended by itself (${how})`);
    });
    try {
      onStarted?.(await started.listens());
    } catch (cause) {
      throw new MeridianError("INTERNAL", `${messageOf(cause)}; its log is ${file}`, { cause });
    }
  }

  /** Asks it to stop, and resolves once it has. */
  async stop(): Promise<void> {
    await this.#letGo()?.stop();
  }

  /** Kills it as `kill -9` does, and resolves once it is gone. */
  async kill(): Promise<void> {
    await this.#letGo()?.kill();
  }

  /** Kills it at once, from where nothing can be waited for. */
  killNow(): void {
    this.#letGo()?.signal("SIGKILL");
  }

  /** Holds it up in the middle of what it does. */
  hold(): void {
    this.#process?.halt();
  }

  /** Lets it go on. */
  resume(): void {
    this.#process?.resume();
  }

  #letGo(): ManagedProcess | undefined {
    const process = this.#process;
    this.#process = undefined;
    return process;
  }

  /** Keeps a copy of its data. */
  backUp(): void {
    cpSync(this.#data, this.#copy, { recursive: true });
  }

  /** Puts the copy in the place of its data. */
  restore(): void {
    this.lose();
    cpSync(this.#copy, this.#data, { recursive: true });
  }

  /** Deletes its data. */
  lose(): void {
    rmSync(this.#data, { recursive: true, force: true });
  }

  get #copy(): string {
    return `${this.#data}.copy`;
  }
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
