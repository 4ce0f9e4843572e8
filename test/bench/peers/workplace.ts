/** The place of a run: a temporary folder and child processes. Nothing of it remains, however the run ends. */
import type { ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { ManagedProcess } from "@meridian/supervision";

const SIGNALS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

/** A peer as a child process, in a process group of its own. */
export class PeerProcess extends ManagedProcess {
  readonly lines: readonly string[];

  constructor(name: string, command: readonly string[]) {
    const lines: string[] = [];
    super({ name, command, env: process.env, output: (line) => void lines.push(line) });
    this.lines = lines;
  }

  /** Kills the process and its children at once, for callers that cannot wait. */
  killGroup(): void {
    try {
      if (this.pid !== undefined) process.kill(-this.pid, "SIGKILL");
    } catch {
      // All of them have ended.
    }
  }
}

/** A temporary folder and child processes. */
export class Workplace {
  readonly #folder: string = mkdtempSync(join(tmpdir(), "meridian-bench-"));
  readonly #endings = new Set<() => void>();
  #folders = 0;

  /** Makes a folder of its own for a server. */
  folder(name: string): string {
    this.#folders += 1;
    const folder = join(this.#folder, `${this.#folders}-${name}`);
    mkdirSync(folder);
    return folder;
  }

  /** Calls `end` when the run ends, however it ends. `end` cannot wait. */
  atEnd(end: () => void): void {
    this.#endings.add(end);
  }

  /** Kills a child process, if it still runs then, when the run ends. */
  own(child: ChildProcess): void {
    const end = (): void => void child.kill("SIGKILL");
    this.#endings.add(end);
    child.once("exit", () => this.#endings.delete(end));
  }

  /** Starts a peer. */
  spawn(name: string, command: readonly string[]): PeerProcess {
    const peer = new PeerProcess(name, command);
    const end = (): void => peer.killGroup();
    this.#endings.add(end);
    void peer.exited.then(() => this.#endings.delete(end));
    return peer;
  }

  /** Kills what runs, and deletes the folder. */
  close(): void {
    for (const end of this.#endings) end();
    this.#endings.clear();
    // A process that was killed may still be on its way out, and write.
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  }
}

/** Runs something in a workplace of its own, which is closed at its end, and also when this process ends or is told to. */
export async function inWorkplace<T>(run: (workplace: Workplace) => Promise<T>): Promise<T> {
  const workplace = new Workplace();
  const close = (): void => workplace.close();
  const stops = Object.entries(SIGNALS).map(([signal, code]) => {
    const stop = (): void => process.exit(code);
    process.on(signal, stop);
    return () => process.off(signal, stop);
  });
  process.once("exit", close);
  try {
    return await run(workplace);
  } finally {
    process.off("exit", close);
    for (const stop of stops) stop();
    close();
  }
}
