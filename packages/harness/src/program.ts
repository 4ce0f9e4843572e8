/** Programs of this repository as child processes, run from source. None outlives the test process. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { findPrograms, skewedClock, type DevPrograms } from "@meridian/cli";
import { commandOf, ManagedProcess, type NodeProgram } from "@meridian/supervision";

/** The folder of the repository. */
export const ROOT: string = join(fileURLToPath(new URL(".", import.meta.url)), "../../../");

/** Run by each program before its own code: nobody is there to see an orderly end. */
const END_WITH_PARENT = `data:text/javascript,${encodeURIComponent(
  'process.once("disconnect", () => process.exit(1)); process.channel?.unref();',
)}`;

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

/** A program that has told where it listens. */
export class Program extends ManagedProcess {
  /** What it has printed, a line each. */
  readonly lines: readonly string[];

  private constructor(options: ProgramOptions, program: NodeProgram) {
    const { name, launcher = [], skewMs = 0 } = options;
    const skew = skewMs === 0 ? [] : [skewedClock(skewMs)];
    const command = commandOf(program, options.args, [END_WITH_PARENT, ...skew]);
    const lines: string[] = [];
    super({
      name,
      command: [...launcher, ...command],
      env: process.env,
      cwd: ROOT,
      output: (line) => void lines.push(line),
    });
    this.lines = lines;
  }

  /** Starts a program. Resolves once it listens; rejects with what it printed if it ends before. */
  static async start(options: ProgramOptions): Promise<Program> {
    found ??= findPrograms();
    const program = new Program(options, (await found)[options.program]);
    try {
      await program.listens();
      return program;
    } catch (cause) {
      throw new Error(`${String(cause)}:\n${program.tail()}`, { cause });
    }
  }

  /** The last lines that it printed. */
  tail(count = 30): string {
    return this.lines
      .slice(-count)
      .map((line) => `  [${this.name}] ${line}`)
      .join("\n");
  }

  /** The memory that the process has in use, in bytes; 0 if it is gone. */
  get memoryBytes(): number {
    try {
      const status = readFileSync(`/proc/${this.pid}/status`, "utf8");
      return 1024 * Number(/^VmRSS:\s*(\d+) kB/m.exec(status)?.[1] ?? 0);
    } catch {
      return 0;
    }
  }

  /** The time that the process has had on a core, in milliseconds; 0 if it is gone. */
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
