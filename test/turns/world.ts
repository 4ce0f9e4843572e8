/** Runs programs on stores of many keys, and measures their turns. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Program } from "@meridian/harness";

import { fillStore, type Filling } from "../support/filled-stores.ts";
import { longestTurn, probedBy, type LongestTurn } from "./turn-probe.ts";

/** One program with a data folder of its own. */
export class Host {
  readonly name: string;
  readonly kind: "region" | "directory";
  readonly data: string;
  readonly #args: readonly string[];
  readonly #turnsFile: string;
  program: Program | undefined;

  constructor(folder: string, name: string, kind: Host["kind"], args: readonly string[] = []) {
    this.name = name;
    this.kind = kind;
    this.data = join(folder, name);
    this.#turnsFile = join(folder, `${name}.turns`);
    this.#args = args;
  }

  get url(): string {
    return this.program?.url ?? "";
  }

  /** Starts the program. Resolves, once it listens, to how long that took, in milliseconds. */
  async start(directory: Host | undefined, port = 0): Promise<number> {
    const startedMs = performance.now();
    const at = [`--host=127.0.0.1`, `--port=${port}`, `--data=${this.data}`];
    const node = [`--id=${this.name}`, "--lat=1", "--lon=2", `--directory=${directory?.url}`];
    this.program = await Program.start({
      name: this.name,
      program: this.kind,
      args: [...at, ...(this.kind === "region" ? node : []), ...this.#args],
      launcher: probedBy(this.#turnsFile),
    });
    return performance.now() - startedMs;
  }

  async stop(): Promise<void> {
    await this.program?.stop();
  }

  async kill(): Promise<void> {
    await this.program?.kill();
  }

  fill(filling: Filling, nowMs: number): void {
    fillStore(this, filling, nowMs);
  }

  /** Resolves to the longest turn since the last call. */
  longestTurn(): Promise<LongestTurn> {
    const pid = this.program?.pid;
    if (pid === undefined) throw new Error(`Expected ${this.name} to run`);
    return longestTurn(this.#turnsFile, () => process.kill(pid, "SIGUSR2"));
  }

  /** The lines of the program's log that contain `words`. */
  logged(words: string): readonly string[] {
    return (this.program?.lines ?? []).filter((line) => line.includes(words));
  }
}

/** Runs `work` with a temporary folder. Afterwards stops all programs that `work` has started, and deletes the folder. */
export async function withHosts(
  work: (host: (...args: HostArgs) => Host) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "meridian-hunt-"));
  const hosts: Host[] = [];
  try {
    await work((name, kind, args) => {
      const host = new Host(folder, name, kind, args);
      hosts.push(host);
      return host;
    });
  } finally {
    for (const host of hosts) await host.kill();
    rmSync(folder, { recursive: true, force: true });
  }
}

type HostArgs = readonly [name: string, kind: Host["kind"], args?: readonly string[]];
