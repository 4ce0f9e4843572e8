/** Several directories as processes that follow each other, each over lines that can be cut. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { LinkProxy } from "@meridian/cli";

import { Program } from "./program.ts";

interface Line {
  readonly to: number;
  readonly proxy: LinkProxy;
}

/** A group of directories, counted from 0 in the order of preference. */
export class DirectoryGroup {
  readonly folder: string = mkdtempSync(join(tmpdir(), "meridian-directories-"));
  readonly #lines: Line[] = [];
  /** The lines between directories, by follower. */
  readonly #peers: LinkProxy[][] = [];
  readonly #running: (Program | undefined)[] = [];
  readonly #programs: Program[] = [];

  /** Starts `count` directories. Resolves once all take nodes in. */
  static async start(count: number): Promise<DirectoryGroup> {
    const group = new DirectoryGroup();
    const indexes = Array.from({ length: count }, (_, index) => index);
    for (const from of indexes) {
      const others = indexes.filter((to) => to !== from);
      group.#peers.push(await Promise.all(others.map((to) => group.line(to))));
    }
    await Promise.all(indexes.map((index) => group.restart(index)));
    return group;
  }

  /** Opens a line to a directory; it leads to wherever that one runs. */
  async line(to: number): Promise<LinkProxy> {
    const proxy = await LinkProxy.listen();
    proxy.target = this.#running[to]?.url;
    this.#lines.push({ to, proxy });
    return proxy;
  }

  /** Where a directory is reached that runs. */
  url(index: number): string {
    const program = this.#running[index];
    if (program === undefined) throw new Error(`Directory ${index} does not run`);
    return program.url;
  }

  /** The URLs of all that run. */
  get urls(): readonly string[] {
    return this.#running.flatMap((program) => program?.url ?? []);
  }

  /** Kills a directory with SIGKILL. */
  async kill(index: number): Promise<void> {
    const program = this.#running[index];
    this.#running[index] = undefined;
    this.#aim(index, undefined);
    await program?.kill();
  }

  /** Starts a directory on its folder. Resolves once it listens. */
  async restart(index: number): Promise<void> {
    const peers = this.#peers[index]?.map(({ url }) => url) ?? [];
    const program = await Program.start({
      name: `directory-${index}`,
      program: "directory",
      args: [
        "--port=0",
        `--data=${join(this.folder, `directory-${index}`)}`,
        ...(peers.length > 0 ? [`--peer=${peers.join(",")}`] : []),
      ],
    });
    this.#programs.push(program);
    this.#running[index] = program;
    this.#aim(index, program.url);
  }

  /** Cuts every line between directories. */
  cutPeers(): void {
    for (const line of this.#peers.flat()) line.cut();
  }

  healPeers(): void {
    for (const line of this.#peers.flat()) line.heal();
  }

  /** What the programs printed last. */
  report(): string {
    return this.#programs.map((program) => program.tail()).join("\n");
  }

  /** Kills every process and removes every file. */
  async dispose(): Promise<void> {
    await Promise.all(this.#programs.map((program) => program.kill()));
    await Promise.all(this.#lines.map(({ proxy }) => proxy.close()));
    rmSync(this.folder, { recursive: true, force: true });
  }

  #aim(index: number, url: string | undefined): void {
    for (const { to, proxy } of this.#lines) if (to === index) proxy.target = url;
  }
}
