/** The programs of a cluster as child processes. None outlives the process that started it. */
import { appendFileSync, readFileSync } from "node:fs";

import { commandOf, ManagedProcess, type NodeProgram } from "@meridian/supervision";

import { findPrograms, type NodePrograms } from "./programs.ts";
import { skewedClock } from "./skewed-clock.ts";

/** Found once: where they run from source, each is made one file first. */
let found: Promise<NodePrograms> | undefined;

/** Which program to run. */
export interface ProgramOptions {
  /** For messages. */
  readonly name: string;
  readonly program: keyof NodePrograms;
  readonly args: readonly string[];
  /** The programs to choose from; without them, those that are installed beside this package. */
  readonly programs?: NodePrograms | undefined;
  /** A command that runs the program, such as one that puts it into a network of its own. */
  readonly launcher?: readonly string[];
  /** By how much its clock is ahead, in milliseconds; negative for behind. */
  readonly skewMs?: number;
  /** A file to the end of which its lines go, too. */
  readonly log?: string | undefined;
}

/** A program that runs from the moment it is made. */
export class Program extends ManagedProcess {
  /** What it has printed, a line each. */
  readonly lines: readonly string[];

  private constructor(options: ProgramOptions, program: NodeProgram) {
    const { name, launcher = [], skewMs = 0, log } = options;
    const imports = skewMs === 0 ? [] : [skewedClock(skewMs)];
    const command = [...launcher, ...commandOf(program, options.args, imports)];
    const lines: string[] = [];
    const output = (line: string): void => {
      lines.push(line);
      if (log !== undefined) appendFileSync(log, `${line}\n`);
    };
    super({ name, command, env: process.env, output });
    this.lines = lines;
  }

  /** Starts a program, which does not listen yet. */
  static async spawn(options: ProgramOptions): Promise<Program> {
    const programs = options.programs ?? (await (found ??= findPrograms()));
    return new Program(options, programs[options.program]);
  }

  /** Starts a program. Resolves once it listens; rejects with what it printed if it ends before. */
  static async start(options: ProgramOptions): Promise<Program> {
    const program = await Program.spawn(options);
    await program.listens();
    return program;
  }

  /** Resolves once it listens, to where; rejects with what it printed if it ends before. */
  override async listens(): Promise<string> {
    try {
      return await super.listens();
    } catch (cause) {
      throw new Error(`${String(cause)}:\n${this.tail()}`, { cause });
    }
  }

  /** The last lines that it printed. */
  tail(count = 30): string {
    return this.lines
      .slice(-count)
      .map((line) => `  [${this.name}] ${line}`)
      .join("\n");
  }

  /** The memory that the process has in use, in bytes; 0 if it is gone, or where the system does not say (it has to be Linux). */
  get memoryBytes(): number {
    try {
      const status = readFileSync(`/proc/${this.pid}/status`, "utf8");
      return 1024 * Number(/^VmRSS:\s*(\d+) kB/m.exec(status)?.[1] ?? 0);
    } catch {
      return 0;
    }
  }

  /** The time that the process has had on a core, in milliseconds; 0 as with the memory. */
  get cpuMs(): number {
    try {
      const stat = readFileSync(`/proc/${this.pid}/stat`, "utf8");
      // The name before it may hold spaces. Linux counts in hundredths of a second.
      const [user, system] = stat.slice(stat.lastIndexOf(")")).split(" ").slice(12, 14);
      return 10 * (Number(user) + Number(system));
    } catch {
      return 0;
    }
  }
}
