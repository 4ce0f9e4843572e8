/** Runs the programs of a cluster, each with a folder of its own and with lines to the directories. */
import { cpSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";

import type { Line, Outpost } from "./line.ts";
import type { Place } from "./places.ts";
import { directoryArguments, placeArguments, regionArguments } from "./program-arguments.ts";
import { Program, type ProgramOptions } from "./program.ts";
import { until } from "./until.ts";

/** What a cluster that uses TLS needs: options of the programs, and a `fetch` for their answers. */
export interface SecureParts {
  /** Options that every program gets and that name its certificates. */
  readonly args: readonly string[];
  /** A `fetch` that trusts these certificates. */
  readonly fetch: (url: string, init?: RequestInit) => Promise<Response>;
}

/** What the stations of a cluster share. */
export interface StationParts extends Pick<ProgramOptions, "programs"> {
  /** The parent of each program's data folder, of the copy of that folder, and of the program's log. */
  readonly folder: string;
  /** Called if a program ends by itself. `how` says how it ended. */
  readonly onLost?: ((how: string) => void) | undefined;
  /** If it is given, all programs use TLS. */
  readonly secure?: SecureParts | undefined;
}

/** How to start a region. */
export interface RegionSettings extends Place {
  readonly cluster?: string;
  /** The name of the region's folder, and of the region in messages. Default: its id. */
  readonly name?: string;
  /** Further options of the region's program. */
  readonly args?: readonly string[];
}

/** One program: its folder, its lines to directories, and its processes. */
abstract class Station {
  readonly name: string;
  /** The lines to directories, by the directories' indexes in the order of preference. */
  readonly lines: ReadonlyMap<number, Line>;
  /** All processes of the program so far, the present one last. */
  readonly programs: Program[] = [];
  protected readonly folder: string;
  readonly #parts: StationParts;
  readonly #site: Outpost["site"];
  /** The process that should be running; undefined after `stop` or `kill`. */
  #kept: Program | undefined;
  #isOver = false;

  constructor(name: string, { site, lines }: Outpost, parts: StationParts) {
    this.name = name;
    this.lines = lines;
    this.folder = join(parts.folder, name);
    this.#parts = parts;
    this.#site = site;
  }

  /** The process that was started last. Throws if none was started. */
  get program(): Program {
    const program = this.programs.at(-1);
    if (program === undefined) throw new Error(`${this.name} has not been started`);
    return program;
  }

  /** The URL at which this process reaches the program since its last start. */
  get url(): string {
    return this.#site.reach(this.program.url);
  }

  /** Whether the process runs and listens, and neither `stop` nor `kill` was called. */
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

  /** Kills the process at once, for callers that cannot wait. */
  killNow(): void {
    this.#isOver = true;
    this.#kept = undefined;
    this.programs.at(-1)?.signal("SIGKILL");
  }

  /** Deletes the program's data. The program must not run. */
  empty(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Copies the program's data. The program must not run. */
  backUp(): void {
    rmSync(this.#copy, { recursive: true, force: true });
    cpSync(this.folder, this.#copy, { recursive: true });
  }

  /** Replaces the program's data by the copy. The program must not run. */
  restore(): void {
    this.empty();
    cpSync(this.#copy, this.folder, { recursive: true });
  }

  get #copy(): string {
    return `${this.folder}.copy`;
  }

  /** The last lines that the program has printed. */
  tail(): string {
    return this.programs.at(-1)?.tail() ?? "";
  }

  /** Kills the process if it runs, and closes the lines. */
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
    // In a network namespace the program listens beyond loopback, and so would demand TLS and tokens.
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

  /** The URLs of the program's lines to the directories. */
  protected get directories(): readonly string[] {
    const scheme = this.#parts.secure === undefined ? "http:" : "https:";
    return [...this.lines.values()].map(({ url }) => url.replace("http:", scheme));
  }
}

/** A region. */
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

  /** The line to the first directory. */
  get line(): Line {
    const line = this.lines.get(0);
    if (line === undefined) throw new Error(`${this.name} has no way to a directory`);
    return line;
  }

  /** The path of the region's database. */
  get databasePath(): string {
    return join(this.folder, "region.db");
  }

  /** Starts the process on the region's folder, with its clock ahead by `skewMs`. Resolves once it listens. */
  async start(skewMs = 0): Promise<void> {
    const args = [...regionArguments(this.place, this.directories), `--cluster=${this.#cluster}`];
    await this.run("region", [...args, ...this.#more], skewMs);
  }

  /** Resolves once the region has reported the status `status`. */
  async reaches(status: string): Promise<void> {
    await until(`${this.name} is ${status}`, () => this.program.status === status);
  }
}

/** A directory. */
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
