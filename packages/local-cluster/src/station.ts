/** The programs of a cluster, each on a folder of its own, with its ways to the directories. */
import { cpSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";

import type { Line, Outpost } from "./line.ts";
import type { Place } from "./places.ts";
import { directoryArguments, placeArguments, regionArguments } from "./program-arguments.ts";
import { Program, type ProgramOptions } from "./program.ts";
import { until } from "./until.ts";

/** What the programs of a cluster that speaks TLS need, and who asks them. */
export interface SecureParts {
  /** Further options of every program, which name its certificates. */
  readonly args: readonly string[];
  /** A `fetch` that trusts them. */
  readonly fetch: (url: string, init?: RequestInit) => Promise<Response>;
}

/** What the stations of a cluster share. */
export interface StationParts extends Pick<ProgramOptions, "programs"> {
  /** Holds the folder, its copy and the log of each. */
  readonly folder: string;
  /** Told of a program that has ended although nobody had it end. */
  readonly onLost?: ((how: string) => void) | undefined;
  /** With it, everything speaks TLS. */
  readonly secure?: SecureParts | undefined;
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
  readonly #parts: StationParts;
  readonly #site: Outpost["site"];
  /** The process that listens, and that nobody has had end. */
  #kept: Program | undefined;
  #isOver = false;

  constructor(name: string, { site, lines }: Outpost, parts: StationParts) {
    this.name = name;
    this.lines = lines;
    this.folder = join(parts.folder, name);
    this.#parts = parts;
    this.#site = site;
  }

  /** The process that was started last; throws if none has been. */
  get program(): Program {
    const program = this.programs.at(-1);
    if (program === undefined) throw new Error(`${this.name} has not been started`);
    return program;
  }

  /** Where it is reached since it was last started. */
  get url(): string {
    return this.#site.reach(this.program.url);
  }

  /** Whether its process is there and listens, and nobody has had it end. */
  get isUp(): boolean {
    return this.#kept?.isRunning === true;
  }

  /** Asks the process to stop, and resolves once it has. */
  async stop(): Promise<void> {
    this.#kept = undefined;
    await this.program.stop();
  }

  /** Kills the process as `kill -9` does, and resolves once it is gone. */
  async kill(): Promise<void> {
    this.#kept = undefined;
    await this.program.kill();
  }

  /** Kills the process at once, from where nothing can be waited for. */
  killNow(): void {
    this.#isOver = true;
    this.#kept = undefined;
    this.programs.at(-1)?.signal("SIGKILL");
  }

  /** Deletes its data. It must not run. */
  empty(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Keeps a copy of its data. It must not run. */
  backUp(): void {
    rmSync(this.#copy, { recursive: true, force: true });
    cpSync(this.folder, this.#copy, { recursive: true });
  }

  /** Puts the copy in the place of its data. It must not run. */
  restore(): void {
    this.empty();
    cpSync(this.#copy, this.folder, { recursive: true });
  }

  get #copy(): string {
    return `${this.folder}.copy`;
  }

  /** What its process printed last. */
  tail(): string {
    return this.programs.at(-1)?.tail() ?? "";
  }

  /** Kills the process if it runs, and takes its lines down. */
  async dispose(): Promise<void> {
    this.#isOver = true;
    this.#kept = undefined;
    await Promise.all(this.programs.map((program) => program.kill()));
    await Promise.all([...this.lines.values()].map((line) => line.close()));
  }

  /** Starts a process, with its clock ahead by `skewMs`. Resolves once it listens. */
  protected async run(
    program: ProgramOptions["program"],
    args: readonly string[],
    skewMs: number,
  ): Promise<void> {
    const { name } = this;
    const { host, port, launcher } = this.#site;
    const { programs, folder, onLost, secure } = this.#parts;
    mkdirSync(folder, { recursive: true });
    const log = join(folder, `${name}.log`);
    // In network namespaces it is reached from others.
    const plain = host === "127.0.0.1" ? [] : ["--insecure-no-tls", "--insecure-no-tokens"];
    const speaks = secure?.args ?? plain;
    const all = [...placeArguments(host, port, this.folder), ...speaks, ...args];
    const options = { name, program, args: all, programs, launcher, skewMs, log };
    const started = await Program.spawn(options);
    this.programs.push(started);
    if (this.#isOver) await started.kill();
    await started.listens();
    this.#kept = started;
    void started.exited.then(({ how }) => {
      if (this.#kept === started) onLost?.(`${name} ended by itself (${how})`);
    });
  }

  /** Where the directories are found. */
  protected get directories(): readonly string[] {
    const scheme = this.#parts.secure === undefined ? "http:" : "https:";
    return [...this.lines.values()].map(({ url }) => url.replace("http:", scheme));
  }
}

/** One region. */
export class Region extends Station {
  readonly place: Place;
  readonly #cluster: string;
  readonly #more: readonly string[];

  constructor(settings: RegionSettings, outpost: Outpost, parts: StationParts) {
    const { id, lat, lon, cluster = "meridian", name = id } = settings;
    super(name, outpost, parts);
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
    const args = [...regionArguments(this.place, this.directories), `--cluster=${this.#cluster}`];
    await this.run("region", [...args, ...this.#more], skewMs);
  }

  /** Resolves once the region says that it has this status. */
  async reaches(status: string): Promise<void> {
    await until(`${this.name} is ${status}`, () => this.program.status === status);
  }
}

/** One directory. */
export class DirectoryStation extends Station {
  readonly #more: readonly string[];

  constructor(name: string, outpost: Outpost, parts: StationParts, more: readonly string[]) {
    super(name, outpost, parts);
    this.#more = more;
  }

  /** Starts the process on the directory's folder, with its clock ahead by `skewMs`. Resolves once it listens. */
  async start(skewMs = 0): Promise<void> {
    const args = directoryArguments(this.directories);
    await this.run("directory", [...args, ...this.#more], skewMs);
  }
}
