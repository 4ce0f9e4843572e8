/** The programs of a cluster, each on a folder of its own, with its ways to the directories. */
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";

import type { Line, Outpost } from "./line.ts";
import { Program, type ProgramOptions } from "./program.ts";
import { until } from "./until.ts";

/** Where a region stands. */
export interface Place {
  readonly id: string;
  readonly lat: number;
  readonly lon: number;
}

/** How a region is started. */
export interface RegionSettings extends Place {
  readonly cluster?: string;
  /** The name of its folder and in messages; without it, its id. */
  readonly name?: string;
  /** Further options of its program. */
  readonly args?: readonly string[];
}

/** One program: its folder, its ways to directories, and its processes. */
abstract class Station {
  readonly name: string;
  /** The ways to directories, by their places in the order of preference. */
  readonly lines: ReadonlyMap<number, Line>;
  /** Its processes, the one that was started last included. */
  readonly programs: Program[] = [];
  protected readonly folder: string;
  readonly #site: Outpost["site"];

  constructor(name: string, { site, lines }: Outpost, folder: string) {
    this.name = name;
    this.lines = lines;
    this.folder = join(folder, name);
    this.#site = site;
  }

  /** The process; throws if it has never been started. */
  get program(): Program {
    const program = this.programs.at(-1);
    if (program === undefined) throw new Error(`${this.name} has not been started`);
    return program;
  }

  /** Where it is reached since it was last started. */
  get url(): string {
    return this.#site.reach(this.program.url);
  }

  /** Deletes its data. It must not run. */
  empty(): void {
    rmSync(this.folder, { recursive: true });
  }

  /** Keeps a copy of its data. It must not run. */
  backUp(): void {
    rmSync(`${this.folder}.copy`, { recursive: true, force: true });
    cpSync(this.folder, `${this.folder}.copy`, { recursive: true });
  }

  /** Puts the copy in the place of its data. It must not run. */
  restore(): void {
    this.empty();
    cpSync(`${this.folder}.copy`, this.folder, { recursive: true });
  }

  /** What its process printed last. */
  tail(): string {
    return this.programs.at(-1)?.tail() ?? "";
  }

  /** Kills the process if it runs. */
  async dispose(): Promise<void> {
    await Promise.all(this.programs.map((program) => program.kill()));
    await Promise.all([...this.lines.values()].map((line) => line.close()));
  }

  /** Starts a process, with its clock ahead by `skewMs`. Resolves once it listens. */
  protected async run(
    program: ProgramOptions["program"],
    args: readonly string[],
    skewMs: number,
  ): Promise<void> {
    const { host, port, launcher } = this.#site;
    const common = [
      `--host=${host}`,
      `--port=${port}`,
      `--data=${this.folder}`,
      // In network namespaces it is reached from others.
      "--insecure-no-tls",
    ];
    const { name } = this;
    const options = { name, program, args: [...common, ...args], launcher, skewMs };
    this.programs.push(await Program.start(options));
  }

  /** Where the directories are found. */
  protected get directories(): string {
    return [...this.lines.values()].map(({ url }) => url).join(",");
  }
}

/** One region. */
export class Region extends Station {
  readonly place: Place;
  readonly #cluster: string;
  readonly #more: readonly string[];

  constructor(settings: RegionSettings, outpost: Outpost, folder: string) {
    const { id, lat, lon, cluster = "meridian", name = id } = settings;
    super(name, outpost, folder);
    this.place = { id, lat, lon };
    this.#cluster = cluster;
    this.#more = settings.args ?? [];
  }

  get id(): string {
    return this.place.id;
  }

  /** The way to the first directory. */
  get line(): Line {
    const line = this.lines.get(0);
    if (line === undefined) throw new Error(`${this.name} has no way to a directory`);
    return line;
  }

  /** The file of its database. */
  get databasePath(): string {
    return join(this.folder, "region.db");
  }

  /** Starts the process on the region's folder, with its clock ahead by `skewMs`. Resolves once it listens. */
  async start(skewMs = 0): Promise<void> {
    const { id, lat, lon } = this.place;
    const args = [`--id=${id}`, `--lat=${lat}`, `--lon=${lon}`, `--cluster=${this.#cluster}`];
    const all = [...args, ...this.#more, `--directory=${this.directories}`];
    await this.run("region", all, skewMs);
  }

  /** Resolves once the region says that it has this status. */
  async reaches(status: string): Promise<void> {
    await until(`${this.name} is ${status}`, () => this.program.status === status);
  }
}

/** One directory. */
export class DirectoryStation extends Station {
  /** Starts the process on the directory's folder, with its clock ahead by `skewMs`. Resolves once it listens. */
  async start(skewMs = 0): Promise<void> {
    const args = this.lines.size === 0 ? [] : [`--peer=${this.directories}`];
    await this.run("directory", args, skewMs);
  }
}
