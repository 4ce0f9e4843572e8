/** A machine of a drill's cluster: a program, and the folder of its data. */
import { cpSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";

import type { Program } from "../dev/programs.ts";
import { DrillProcess } from "./drill-process.ts";
import type { LinkProxy } from "./link-proxy.ts";
import { skewedClock } from "./skewed-clock.ts";

/** What a machine is made of. */
export interface MachineOptions {
  readonly name: string;
  readonly program: Program;
  /** Beside where it listens and keeps its data. */
  readonly args: readonly string[];
  /** Its ways to directories, in order of preference: of a directory, to the others. */
  readonly links: readonly LinkProxy[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Holds the data, its copy and the log. */
  readonly folder: string;
  readonly onStarted?: (url: string) => void;
  /** The program has ended although nobody had it end. */
  readonly onLost: (how: string) => void;
}

/** One machine. Its data are only to be touched while its program does not run. */
export class Machine {
  readonly name: string;
  readonly process: DrillProcess;
  readonly links: readonly LinkProxy[];
  readonly #data: string;
  readonly #onStarted: ((url: string) => void) | undefined;

  constructor(options: MachineOptions) {
    const { name, program, args, env, folder, onLost } = options;
    this.name = name;
    this.links = options.links;
    this.#data = join(folder, name);
    this.#onStarted = options.onStarted;
    mkdirSync(this.#data, { recursive: true });
    this.process = new DrillProcess({
      name,
      program,
      args: ["--host=127.0.0.1", "--port=0", `--data=${this.#data}`, ...args],
      env,
      logPath: join(folder, `${name}.log`),
      onLost,
    });
  }

  /** Where it is reached; undefined while it does not run. */
  get url(): string | undefined {
    return this.process.url;
  }

  /** Starts it, with its clock ahead by `skewMs` milliseconds; resolves once it listens. */
  async start(skewMs: number = 0): Promise<void> {
    const url = await this.process.start(skewMs === 0 ? [] : [skewedClock(skewMs)]);
    this.#onStarted?.(url);
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
