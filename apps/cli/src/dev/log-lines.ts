/** Prints the log lines of all processes, each after the coloured name of its process. */
import type { CliIo } from "../io.ts";

const COLOURS = [36, 33, 35, 32, 34, 96, 93, 95, 92, 94] as const;

/** Writes lines to stderr, each with the name of its process. */
export class DevLog {
  readonly #io: CliIo;
  readonly #width: number;
  readonly #names: readonly string[];

  constructor(io: CliIo, names: readonly string[]) {
    this.#io = io;
    this.#names = ["dev", ...names];
    this.#width = Math.max(...this.#names.map((name) => name.length));
  }

  /** Writes a line of the process `name`, or of `dev` itself. */
  write(name: string, line: string): void {
    const padded = name.padEnd(this.#width);
    if (!this.#io.colour) {
      this.#io.stderr.write(`${padded} | ${line}\n`);
      return;
    }
    const colour = name === "dev" ? 1 : COLOURS[this.#names.indexOf(name) % COLOURS.length];
    this.#io.stderr.write(`\u001b[${colour}m${padded} |\u001b[0m ${line}\n`);
  }
}
