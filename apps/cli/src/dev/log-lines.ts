/** Each process's log lines, told apart by a coloured name in front. */
import type { CliIo } from "../io.ts";

const COLOURS = [36, 33, 35, 32, 34, 96, 93, 95, 92, 94] as const;

/** Longer lines than this are cut in pieces, so that a program's output without line breaks takes no memory. */
const LINE_LENGTH_MAX = 64 * 1024;

/** Takes a stream of text in pieces and hands on whole lines. */
export class LineSplitter {
  readonly #onLine: (line: string) => void;
  #rest = "";

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  push(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) this.#onLine(line.replace(/\r$/, ""));
    if (this.#rest.length > LINE_LENGTH_MAX) this.end();
  }

  /** Hands on what came after the last line break. */
  end(): void {
    if (this.#rest !== "") this.#onLine(this.#rest);
    this.#rest = "";
  }
}

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

  /** A line of the process of that name, or of `dev` itself. */
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
