/** The programs of a cluster as child processes. None outlives the process that started it. */
import { appendFileSync, readFileSync } from "node:fs";

import { commandOf, ManagedProcess, type NodeProgram } from "@meridian/supervision";

import { findPrograms, type NodePrograms } from "./programs.ts";
import { skewedClock } from "./skewed-clock.ts";

/** The programs, which are found once. If they run from source, each is bundled into one file first. */
let found: Promise<NodePrograms> | undefined;

/** How to run a program. */
export interface ProgramOptions {
  /** The name of the process in messages. */
  readonly name: string;
  readonly program: keyof NodePrograms;
  readonly args: readonly string[];
  /** The files of the programs. Default: those that are installed beside this package. */
  readonly programs?: NodePrograms | undefined;
  /** A command that runs the program, such as one that puts it into a network of its own. */
  readonly launcher?: readonly string[];
  /** By how many milliseconds the program's clock is ahead; negative if it is behind. */
  readonly skewMs?: number;
  /** A file to which the lines of the program are appended, too. */
  readonly log?: string | undefined;
}

/** A directory or region as a child process. The constructor starts it. */
export class Program extends ManagedProcess {
  /** The lines that the program has printed. */
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

  /** Starts a program. Resolves once it listens. Rejects with its last lines if it ends before. */
  static async start(options: ProgramOptions): Promise<Program> {
    const program = await Program.spawn(options);
    await program.listens();
    return program;
  }

  /** Resolves to the program's URL once it listens. Rejects with its last lines if it ends before. */
  override async listens(): Promise<string> {
    try {
      return await super.listens();
    } catch (cause) {
      throw new Error(`${String(cause)}:\n${this.tail()}`, { cause });
    }
  }

  /** The last `count` lines that the program has printed. */
  tail(count = 30): string {
    return this.lines
      .slice(-count)
      .map((line) => `  [${this.name}] ${line}`)
      .join("\n");
  }

  /** The resident memory of the process, in bytes; 0 if the process has ended, or on other systems than Linux. */
  get memoryBytes(): number {
    try {
      const status = readFileSync(`/proc/${this.pid}/status`, "utf8");
      return 1024 * Number(/^VmRSS:\s*(\d+) kB/m.exec(status)?.[1] ?? 0);
    } catch {
      return 0;
    }
  }

  /** The processor time of the process, in milliseconds; 0 if the process has ended, or on other systems than Linux. */
  get cpuMs(): number {
    try {
      const stat = readFileSync(`/proc/${this.pid}/stat`, "utf8");
      // The program's name, in parentheses, may contain spaces. The fields after it are in hundredths of a second.
      const [user, system] = stat.slice(stat.lastIndexOf(")")).split(" ").slice(12, 14);
      return 10 * (Number(user) + Number(system));
    } catch {
      return 0;
    }
  }
}
