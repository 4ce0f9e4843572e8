import { spawn, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";

import { bundleSource } from "@meridian/source-bundle";

/** This package as one file, as programs import it. */
export const SUPERVISION: string = await bundleSource(
  fileURLToPath(new URL("../src/index.ts", import.meta.url)),
);

/** The arguments of Node.js before the text of a program. */
export const EVALUATE: readonly string[] = ["--input-type=module", "--eval"];

/** The text of a program in which `script` can use the exports of this package and `clock`. */
export function programOf(script: string): string {
  return `import { exitWhenParentDies, extendStart, notifyReady, notifyStopping, startWatchdog } from ${JSON.stringify(SUPERVISION)};
    const clock = {
      after(delayMs, callback) {
        const timer = setTimeout(callback, delayMs).unref();
        return () => clearTimeout(timer);
      },
    };
    ${script}`;
}

/** Runs a program in a process of its own, and collects its output. */
export class Program {
  readonly process: ChildProcess;
  output = "";
  #waiting: (() => void) | undefined;
  readonly #closed: Promise<string>;

  constructor(script: string, env: Readonly<Record<string, string>> = {}) {
    this.process = spawn(process.execPath, [...EVALUATE, programOf(script)], {
      env: { PATH: process.env["PATH"] ?? "", ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream?.on("data", (chunk: Buffer) => {
        this.output += chunk.toString();
        this.#waiting?.();
      });
    }
    this.#closed = new Promise((resolve) => {
      this.process.once("close", (code, signal) => {
        resolve(`ended by ${signal ?? `exit ${code}`}`);
      });
    });
  }

  /** Resolves once `text` has been printed. */
  async prints(text: string): Promise<void> {
    while (!this.output.includes(text)) {
      await new Promise<void>((resolve) => {
        this.#waiting = resolve;
      });
    }
  }

  /** Resolves to how the program ended, once the program and every process that holds its output open have ended. */
  async ended(): Promise<string> {
    return this.#closed;
  }
}
